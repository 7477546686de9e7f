"""Makes the stack's broker accept no messages, by a disk alarm."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def disk_alarm() -> Iterator[None]:
    """Raise the disk alarm of the stack's broker during the block."""
    _set_disk_limit("1000000GB")
    try:
        yield
    finally:
        _set_disk_limit("1MB")


def _set_disk_limit(limit: str) -> None:
    rabbitmqctl = f"{os.environ['STACK_RABBITMQ_BIN']}/rabbitmqctl"
    environment = {
        **os.environ,
        "HOME": f"{os.environ['STACK_BUILD']}/rabbitmq",
        "LD_LIBRARY_PATH": os.environ["STACK_RABBITMQ_LIBRARIES"],
    }
    command = [rabbitmqctl, "-n", os.environ["RABBITMQ_NODENAME"], "set_disk_free_limit", limit]
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
