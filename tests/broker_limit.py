"""Lowers the maximum size of messages of the stack's broker."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

DEFAULT = 134_217_728  # of RabbitMQ 3.10, in bytes


@contextmanager
def largest_message(size: int) -> Iterator[None]:
    """Set the maximum size in bytes during the block; it applies to channels opened in it."""
    _set_limit(size)
    try:
        yield
    finally:
        _set_limit(DEFAULT)


def _set_limit(size: int) -> None:
    rabbitmqctl = f"{os.environ['STACK_RABBITMQ_BIN']}/rabbitmqctl"
    environment = {
        **os.environ,
        "HOME": f"{os.environ['STACK_BUILD']}/rabbitmq",
        "LD_LIBRARY_PATH": os.environ["STACK_RABBITMQ_LIBRARIES"],
    }
    code = (  # the first line is for RabbitMQ 3, the second for 4
        f"application:set_env(rabbit, max_message_size, {size}), "
        f"persistent_term:put(max_message_size, {size})."
    )
    command = [rabbitmqctl, "-n", os.environ["RABBITMQ_NODENAME"], "eval", code]
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
