"""List and delete the queues of a database, for the uninstallation of the addon."""

from __future__ import annotations

from typing import Any

from ..amqp.config import BrokerConfig
from ..amqp.link import Link
from ..beats.listener import beats_queue
from .consumer import dead_queue, parked_queue, progress_queue, reply_queue


def queues(identity: str) -> list[str]:
    """Return the names of all durable queues of a database."""
    kinds = (reply_queue, parked_queue, dead_queue, progress_queue, beats_queue)
    return [name(identity) for name in kinds]


class QueueDeleter(Link):
    """A connection that deletes queues and their messages as soon as it is open."""

    def __init__(self, config: BrokerConfig, names: list[str]) -> None:
        self._names = names
        super().__init__(config)

    def _set_up(self, channel: Any) -> None:
        for name in self._names:
            channel.queue_delete(name)  # deleting a missing queue succeeds


def delete_queues(config: BrokerConfig, names: list[str]) -> None:
    """Delete queues of the broker; raise BrokerUnreachable or AccessRefused."""
    with QueueDeleter(config, names):
        pass
