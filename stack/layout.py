"""Where the stack keeps its things: everything under the checkout, downloads in the cache."""

import os
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
VENV = CHECKOUT / ".venv"
BUILD = CHECKOUT / "build" / "stack"
LOGS = BUILD / "log"
ENVIRONMENT_FILE = BUILD / "environment.json"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "nameko_compute"
