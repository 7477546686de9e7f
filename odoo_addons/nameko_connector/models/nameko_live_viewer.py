"""Browsers in which somebody looks at a live view: without any, nothing is sent."""

import hashlib
from collections.abc import Collection

from odoo import api, fields, models

LONGEST = "1 day"  # that one counts: an Odoo that was killed says nothing of its browsers' end


class NamekoLiveViewer(models.Model):
    _name = "nameko.live.viewer"
    _description = "Browser with Live Views"
    _log_access = False

    session = fields.Char("Digest of the Session", required=True)
    channel = fields.Char(required=True)
    since = fields.Datetime(required=True)

    _once = models.Constraint("UNIQUE (session, channel)")

    @api.model
    def _note(self, session_id: str, channels: Collection[str]) -> bool:
        """Note to which channels a browser's websocket listens; tell whether one is new."""
        session = hashlib.sha256(session_id.encode()).hexdigest()
        self.env.cr.execute(
            "DELETE FROM nameko_live_viewer WHERE session = %s AND channel != ALL(%s::text[])",
            [session, list(channels)],
        )
        self.env.cr.execute(
            "INSERT INTO nameko_live_viewer (session, channel, since)"
            " SELECT %s, channel, now() AT TIME ZONE 'UTC' FROM unnest(%s::text[]) AS channel"
            " ON CONFLICT (session, channel) DO UPDATE SET since = excluded.since"
            " RETURNING xmax = 0",
            [session, list(channels)],
        )
        return any(is_new for (is_new,) in self.env.cr.fetchall())

    @api.model
    def _channels(self) -> set[str]:
        """Return the channels to which somebody listens."""
        self.env.cr.execute(
            "SELECT DISTINCT channel FROM nameko_live_viewer"
            " WHERE since > now() AT TIME ZONE 'UTC' - %s::interval",
            [LONGEST],
        )
        return {channel for (channel,) in self.env.cr.fetchall()}

    @api.autovacuum
    def _gc_old(self) -> None:
        self.env.cr.execute(
            "DELETE FROM nameko_live_viewer WHERE since < now() AT TIME ZONE 'UTC' - %s::interval",
            [LONGEST],
        )
