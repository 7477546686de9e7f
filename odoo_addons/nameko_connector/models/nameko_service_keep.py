"""The catalogue of services is bounded, and knows the methods of those that run."""

import logging
from collections.abc import Sequence

from odoo import api, models

from ..tools import locks
from .nameko_service import LIVE, MOST_FORGOTTEN, MOST_SERVICES

_logger = logging.getLogger(__name__)
QUIETLY = {"tracking_disable": True, "mail_create_nolog": True, "mail_create_nosubscribe": True}


class NamekoService(models.Model):
    _inherit = "nameko.service"

    def _settle_methods(self) -> None:
        """Archive the methods that no running instance has any more, and bring others back.

        Where no running instance tells of any method, all stay as they are.
        """
        if not self:
            return
        self.env.flush_all()
        self.env.cr.execute(
            """
            SELECT s.id, array_agg(DISTINCT told.name)
              FROM nameko_service s
              JOIN nameko_instance_nameko_service_rel hosted ON hosted.nameko_service_id = s.id
              JOIN nameko_instance i ON i.id = hosted.nameko_instance_id
             CROSS JOIN LATERAL jsonb_array_elements_text(i.method_names -> s.name) told (name)
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
    def list_unheard(self, names: Sequence[str]) -> None:
        """List services of these names that are not listed yet, as far as there is room."""
        self.env.cr.execute("SELECT pg_try_advisory_xact_lock(%s)", [locks.CATALOGUE])
        if self.env.cr.fetchone() == (False,):
            return  # another relay is at it
        names = sorted(set(names))
        known = set(self.search([("name", "in", names)]).mapped("name"))
        room = MOST_SERVICES - self.search_count([], limit=MOST_SERVICES)
        new = [name for name in names if name not in known][:room]
        self.with_context(**QUIETLY).create([{"name": name} for name in new])

    @api.model
    def _make_room(self) -> bool:
        """Tell whether one more service can be listed; those that do not run go for it."""
        if self.search_count([], limit=MOST_SERVICES) < MOST_SERVICES:
            return True
        return self._forget_some()

    @api.model
    def _forget_some(self) -> bool:
        """Delete some services that do not run and that no action calls, the oldest first."""
        actions = self.env["ir.actions.server"].search([("nameko_service", "!=", False)])
        used = actions.mapped("nameko_service")
        before = self.env.cr.now()  # what this transaction has made stays
        idle = [
            ("state", "not in", LIVE),
            ("name", "not in", used),
            ("create_date", "<", before),
        ]
        forgotten = self.search(idle, order="write_date, id", limit=MOST_FORGOTTEN)
        _logger.info("%s services that do not run are forgotten: too many", len(forgotten))
        forgotten.unlink()
        return bool(forgotten)
