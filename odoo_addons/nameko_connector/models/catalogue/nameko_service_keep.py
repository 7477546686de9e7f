"""Limit the size of the catalogue, and update the methods and queues of services."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from odoo import api, models

from ...tools import locks
from .nameko_service import LIVE, MOST_FORGOTTEN, MOST_SERVICES

if TYPE_CHECKING:
    from ...broker.beats.management import Page, QueueReport

_logger = logging.getLogger(__name__)
FIGURES = ("ready", "unacknowledged", "consumers", "rate")  # of a QueueReport, in the statement
# Parameters: whether each page is whole, and for each column a list of values.
WRITE_QUEUES = """
    UPDATE nameko_service s
       SET queue_known = reported.known, queue_ready = reported.ready,
           queue_unacknowledged = reported.in_hand, queue_consumers = reported.consumers,
           queue_rate = reported.rate, dead_count = reported.dead
      FROM (SELECT s.id,
                   CASE WHEN q.name IS NULL THEN %s ELSE q.ready IS NOT NULL END AS known,
                   COALESCE(q.ready, 0) AS ready, COALESCE(q.in_hand, 0) AS in_hand,
                   COALESCE(q.consumers, 0) AS consumers, COALESCE(q.rate, 0) AS rate,
                   CASE WHEN d.name IS NOT NULL THEN d.dead
                        WHEN %s THEN 0 ELSE s.dead_count END AS dead
              FROM nameko_service s
              LEFT JOIN unnest(%s::text[], %s::int[], %s::int[], %s::int[], %s::float[])
                   AS q (name, ready, in_hand, consumers, rate) ON q.name = s.name
              LEFT JOIN unnest(%s::text[], %s::int[]) AS d (name, dead) ON d.name = s.name
           ) reported
     WHERE s.id = reported.id
       AND (s.queue_known, s.queue_ready, s.queue_unacknowledged, s.queue_consumers,
            s.queue_rate, s.dead_count)
           IS DISTINCT FROM (reported.known, reported.ready, reported.in_hand, reported.consumers,
                             reported.rate, reported.dead)
    RETURNING s.id
"""
QUIETLY = {"tracking_disable": True, "mail_create_nolog": True, "mail_create_nosubscribe": True}


class NamekoService(models.Model):
    _inherit = "nameko.service"

    def _settle_methods(self) -> None:
        """Archive the methods that no running instance has any more, and unarchive others.

        If no running instance reports any method, all methods stay as they are.
        """
        if not self:
            return
        self.env.flush_all()
        self.env.cr.execute(
            """
            SELECT s.id, array_agg(DISTINCT reported.name)
              FROM nameko_service s
              JOIN nameko_instance_nameko_service_rel hosted ON hosted.nameko_service_id = s.id
              JOIN nameko_instance i ON i.id = hosted.nameko_instance_id
             CROSS JOIN LATERAL jsonb_array_elements_text(i.method_names -> s.name) reported (name)
             WHERE s.id = ANY(%s) AND i.state = ANY(%s)
             GROUP BY s.id
            """,
            [self.ids, list(LIVE)],
        )
        for service_id, names in self.env.cr.fetchall():
            service = self.browse(service_id).with_context(active_test=False)
            service.method_ids._set_active(set(names))

    @api.model
    @api.private
    def keep_queues(self, queues: Page[QueueReport], dead: Page[int]) -> None:
        """Write the state of services' queues, as RabbitMQ reports it.

        Services that are not in the catalogue are added, up to MOST_SERVICES.

        :param queues: the request queues
        :param dead: the number of dead letters of each service
        """
        self.env.cr.execute("SELECT pg_try_advisory_xact_lock(%s)", [locks.CATALOGUE])
        if self.env.cr.fetchone() == (False,):
            return  # another relay is doing this
        known = set(self.search([], limit=MOST_SERVICES).mapped("name"))
        room = MOST_SERVICES - len(known)
        new = [name for name in sorted(queues.by_service) if name not in known][:room]
        self.with_context(**QUIETLY).create([{"name": name} for name in new])
        self.env.flush_all()
        self._write_queues(queues, dead)

    def _write_queues(self, queues: Page[QueueReport], dead: Page[int]) -> None:
        """Write the figures of all services, and make open views of changed ones reload.

        A service that is missing on a page has no queue if the page is whole; else it is unknown.
        """
        reports = list(queues.by_service.values())
        self.env.cr.execute(
            WRITE_QUEUES,
            [
                *(queues.is_whole, dead.is_whole, list(queues.by_service)),
                *([getattr(each, name) for each in reports] for name in FIGURES),
                *(list(dead.by_service), list(dead.by_service.values())),
            ],
        )
        changed = [(self._name, service) for (service,) in self.env.cr.fetchall()]
        self.env.cr.execute("UPDATE nameko_service SET queue_checked_at = %s", [self.env.cr.now()])
        self.env.invalidate_all(flush=False)
        self.env["nameko.live"]._note(changed)

    @api.model
    def _make_room(self) -> bool:
        """Return whether one more service can be listed; if full, delete some that do not run."""
        if self.search_count([], limit=MOST_SERVICES) < MOST_SERVICES:
            return True
        return self._forget_some()

    @api.model
    def _forget_some(self) -> bool:
        """Delete some services that do not run and that no action calls, the oldest first."""
        actions = self.env["ir.actions.server"].search([("nameko_service", "!=", False)])
        used = actions.mapped("nameko_service")
        before = self.env.cr.now()  # keep the services that this transaction has created
        idle = [
            ("state", "not in", LIVE),
            ("name", "not in", used),
            ("create_date", "<", before),
        ]
        forgotten = self.search(idle, order="write_date, id", limit=MOST_FORGOTTEN)
        _logger.info("The catalogue is full: deleting %s services that do not run", len(forgotten))
        forgotten.unlink()
        return bool(forgotten)
