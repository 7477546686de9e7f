"""Browsers in which somebody looks at a live view: without any, nothing is sent."""

import hashlib

from odoo import api, fields, models

LONGEST = "1 day"  # that one counts: an Odoo that was killed says nothing of its browsers' end


class NamekoLiveViewer(models.Model):
    _name = "nameko.live.viewer"
    _description = "Browser with Live Views"
    _log_access = False

    session = fields.Char("Digest of the Session", required=True)
    since = fields.Datetime(required=True)

    _session_unique = models.Constraint("UNIQUE (session)")

    @api.model
    def _note(self, session_id: str, *, looks: bool) -> bool:
        """Note whether a browser's websocket listens; tell whether it has begun to."""
        session = hashlib.sha256(session_id.encode()).hexdigest()
        if looks:
            self.env.cr.execute(
                "INSERT INTO nameko_live_viewer (session, since)"
                " VALUES (%s, now() AT TIME ZONE 'UTC')"
                " ON CONFLICT (session) DO UPDATE SET since = excluded.since RETURNING xmax = 0",
                [session],
            )
            return bool(self.env.cr.fetchone()[0])
        self.env.cr.execute("DELETE FROM nameko_live_viewer WHERE session = %s", [session])
        return False

    @api.model
    def _is_anybody_there(self) -> bool:
        self.env.cr.execute(
            "SELECT EXISTS (SELECT FROM nameko_live_viewer"
            " WHERE since > now() AT TIME ZONE 'UTC' - %s::interval)",
            [LONGEST],
        )
        return bool(self.env.cr.fetchone()[0])

    @api.autovacuum
    def _gc_old(self) -> None:
        self.env.cr.execute(
            "DELETE FROM nameko_live_viewer WHERE since < now() AT TIME ZONE 'UTC' - %s::interval",
            [LONGEST],
        )
