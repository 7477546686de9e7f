"""Shows progress on the terminal: a line for each step, and the time of long ones."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from .layout import LOGS

SIGN_OF_LIFE_SECONDS = 5


class StackError(Exception):
    """A step failed: the message says which, why, and what to do."""


def say(text: str) -> None:
    """Print one line at once, also into a pipe."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


@contextmanager
def step(title: str) -> Iterator[None]:
    """Print a step's title, every few seconds that it still runs, and how long it took."""
    say(f"==> {title}")
    started = time.monotonic()
    finished = threading.Event()
    threading.Thread(target=_signs_of_life, args=(started, finished), daemon=True).start()
    try:
        yield
    except StackError as error:
        raise StackError(f"{title}: {error}") from error
    finally:
        finished.set()
    say(f"    done in {time.monotonic() - started:.1f} s")


def _signs_of_life(started: float, finished: threading.Event) -> None:
    while not finished.wait(SIGN_OF_LIFE_SECONDS):
        say(f"    ... {time.monotonic() - started:.0f} s")


def run_logged(
    command: Sequence[str | Path], log: str, *, environment: Mapping[str, str] | None = None
) -> None:
    """Run a command with its output in a log file; it is killed if this process ends.

    Raises StackError with the last lines of the log if the command fails.
    """
    LOGS.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = LOGS / log
    with path.open("w") as output:
        code = subprocess.run(
            ["setpriv", "--pdeathsig", "KILL", "--", *map(str, command)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
            check=False,
        ).returncode
    if code:
        raise StackError(f"{Path(command[0]).name} exited with {code}.\n{log_tail(path)}")


def log_tail(path: Path, lines: int = 15) -> str:
    """Return the end of a log file and its name, for an error message."""
    text = path.read_text(errors="replace").splitlines() if path.exists() else []
    return "\n".join([*(f"    | {line}" for line in text[-lines:]), f"    (all of it: {path})"])
