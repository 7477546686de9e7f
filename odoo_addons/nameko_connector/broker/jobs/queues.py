"""The queues that a database has on the broker: their deletion, when the addon is uninstalled."""

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
    """Deletes queues, with what is in them, as soon as it is connected."""

    def __init__(self, config: BrokerConfig, names: list[str]) -> None:
        self._names = names
        super().__init__(config)

    def _set_up(self, channel: Any) -> None:
        for name in self._names:
            channel.queue_delete(name)  # one that is not there counts as deleted


def delete_queues(config: BrokerConfig, names: list[str]) -> None:
    """Delete queues of the broker; raise BrokerUnreachable or AccessRefused."""
    with QueueDeleter(config, names):
        pass
