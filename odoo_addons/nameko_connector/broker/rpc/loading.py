"""Import Nameko in a way that does not block the exit of the process."""

from __future__ import annotations

import importlib
import sys
import threading
import warnings

MODULE = "nameko.standalone.rpc"
_lock = threading.Lock()


def load_nameko() -> None:
    """Import Nameko once, in a separate daemon thread.

    Nameko imports eventlet, which loads a second copy of the standard library's `threading`. That
    copy takes over the state lock of the thread that imports it. At exit, Python would wait for
    ever for that thread, unless it is a daemon thread.
    """
    if MODULE in sys.modules:
        return
    with _lock:
        done = threading.Event()
        failure: list[BaseException] = []
        threading.Thread(target=_import, args=(done, failure), daemon=True).start()
        done.wait()  # join() would wait for the lock that was taken over
        if failure:
            raise failure[0]


def _import(done: threading.Event, failure: list[BaseException]) -> None:
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=r"\s*Eventlet is deprecated")
            importlib.import_module(MODULE)
    except BaseException as error:  # noqa: BLE001  load_nameko raises it again
        failure.append(error)
    finally:
        done.set()
