"""Importing Nameko without harm to the process that does it."""

from __future__ import annotations

import importlib
import sys
import threading
import warnings

MODULE = "nameko.standalone.rpc"
_lock = threading.Lock()


def load_nameko() -> None:
    """Import Nameko once, in a daemon thread of its own.

    Nameko imports eventlet, which runs a second copy of the standard library's `threading`. That
    copy takes over the state lock of the thread in which it is imported, and Python then waits for
    ever for that thread at its exit, unless it is a daemon. Odoo's requests run in other threads.
    """
    if MODULE in sys.modules:
        return
    with _lock:
        done = threading.Event()
        failure: list[BaseException] = []
        threading.Thread(target=_import, args=(done, failure), daemon=True).start()
        done.wait()  # not join(): it would wait for the very lock that was taken over
        if failure:
            raise failure[0]


def _import(done: threading.Event, failure: list[BaseException]) -> None:
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=r"\s*Eventlet is deprecated")
            importlib.import_module(MODULE)
    except BaseException as error:  # noqa: BLE001  raised again where Nameko was asked for
        failure.append(error)
    finally:
        done.set()
