"""Publishes which jobs were cancelled, for the services that work on them."""

from __future__ import annotations

from ..broker.jobs.publisher import Publisher
from ..job_store.cancelled import take_cancelled
from .database import Database


class Cancelled:
    """Publishes that jobs were cancelled which had been sent."""

    def __init__(self, database: Database, publisher: Publisher) -> None:
        self._database = database
        self._publisher = publisher

    def turn(self) -> None:
        """Publish some events; what the broker does not take is published later.

        :raises Exception: the broker or the database is lost, or refuses it
        """
        if self._publisher.blocked:
            return
        with self._database.rows() as cr:
            uuids = take_cancelled(cr)
            if uuids:
                self._publisher.announce_cancelled(uuids)
