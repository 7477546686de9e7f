"""Where the stack keeps its things: everything under the checkout, downloads in the cache.

STACK_NAME: the folder under `build/` of another stack than the one that `make run` serves.
"""

import os
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
VENV = CHECKOUT / ".venv"
BUILD = CHECKOUT / "build" / os.environ.get("STACK_NAME", "stack")
LOGS = BUILD / "log"
ENVIRONMENT_FILE = BUILD / "environment.json"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "nameko_compute"
