"""Publish events for jobs that were cancelled after they were sent."""

from __future__ import annotations

from ...broker.jobs.publisher import Publisher
from ...job_store.cancelled import take_cancelled
from ..database import Database


class Cancelled:
    """Publishes events for jobs that were cancelled after they were sent."""

    def __init__(self, database: Database, publisher: Publisher) -> None:
        self._database = database
        self._publisher = publisher

    def turn(self) -> None:
        """Publish some events; after an error, they are published again later.

        :raises Exception: a connection is lost, or the broker refuses the events
        """
        if self._publisher.blocked:
            return
        with self._database.rows() as cr:
            uuids = take_cancelled(cr)
            if uuids:
                self._publisher.announce_cancelled(uuids)
