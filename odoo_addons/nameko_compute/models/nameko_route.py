"""Services that have had a queue on the broker, and those of them whose queue is gone.

A service of Nameko's has its queue for good: it is only away with the broker's node that holds it,
or because somebody deleted it. So the jobs of a service that was there once wait for it: every few
seconds one of them is sent to see whether it is back, the others stay pending.
"""

from collections.abc import Collection

from odoo import api, fields, models

from .nameko_job import READY
from .nameko_job_answer import Lost
from .nameko_job_dispatch import LONGEST_TIMEOUT, NOW

LOOK_SECONDS = 5  # between two requests to a service that is away
FRESH_SECONDS = 10  # for which it counts as known that it is away
MOST_LOST = 500  # jobs at a time


class NamekoRoute(models.Model):
    """Kept by the relay, in the transactions in which it sends jobs."""

    _name = "nameko.route"
    _description = "Service that Has Had a Queue"
    _rec_name = "service"
    _order = "service"

    service = fields.Char(required=True, readonly=True)
    away_since = fields.Datetime(readonly=True, help="Empty where the service has its queue.")
    look_at = fields.Datetime("Tried Again At", readonly=True)

    _once = models.UniqueIndex("(service)")

    @api.model
    @api.private
    def is_known(self, service: str) -> bool:
        """Tell whether a service has had a queue on the broker, or was heard of."""
        known = bool(self.sudo().search_count([("service", "=", service)], limit=1))
        heard = self.env["nameko.service"].sudo()
        return known or bool(heard.search_count([("name", "=", service)], limit=1))

    @api.model
    @api.private
    def note_there(self, services: Collection[str]) -> None:
        """Note that the queues of these have taken requests."""
        if services:
            self.env.cr.execute(
                """
                INSERT INTO nameko_route (service) SELECT unnest(%s)
                    ON CONFLICT (service) DO UPDATE SET away_since = NULL, look_at = NULL
                """,
                [sorted(services)],
            )

    @api.model
    @api.private
    def note_away(self, services: Collection[str]) -> None:
        """Note that these have no queue now."""
        if services:
            self.env.cr.execute(
                f"""
                INSERT INTO nameko_route AS route (service, away_since, look_at)
                SELECT unnest(%s), {NOW}, {NOW} + interval '1 second' * %s
                    ON CONFLICT (service) DO UPDATE
                   SET away_since = coalesce(route.away_since, excluded.away_since),
                       look_at = excluded.look_at
                """,  # noqa: S608  constants
                [sorted(services), LOOK_SECONDS],
            )

    @api.model
    @api.private
    def waited_too_long(self) -> list[Lost]:
        """Return jobs for whose service nothing has come for as long as they may take.

        The time counts from when the service was missed, or the job was ready, whichever is later.
        """
        self.env.cr.execute(
            f"""
            SELECT job.uuid FROM nameko_route route JOIN nameko_job job USING (service)
             WHERE route.away_since IS NOT NULL
               AND route.look_at > {NOW} - interval '1 second' * %s
               AND {READY}
               AND greatest(route.away_since, job.create_date, job.eta)
                   + make_interval(secs => least(job.timeout, {LONGEST_TIMEOUT})) <= {NOW}
             LIMIT %s
            """,  # noqa: S608  constants
            [FRESH_SECONDS, MOST_LOST],
        )
        return [Lost(uuid, "away") for (uuid,) in self.env.cr.fetchall()]
