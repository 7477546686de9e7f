"""The folders of the stack: its files are in the checkout, its downloads in the user's cache.

The environment variable STACK_NAME names the stack's folder under `build/`. With another name, a
second stack runs beside the one of `make run`.
"""

import os
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
VENV = CHECKOUT / ".venv"
BUILD = CHECKOUT / "build" / os.environ.get("STACK_NAME", "stack")
LOGS = BUILD / "log"
ENVIRONMENT_FILE = BUILD / "environment.json"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "nameko_compute"
