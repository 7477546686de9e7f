"""Which channels of live views somebody listens to: nothing is sent to others."""

from collections.abc import Sequence

from odoo import api, fields, models

LONGEST = "1 day"  # that one counts: an Odoo that was killed does not delete those of its browsers
MOST_CHANNELS = 1_000  # of a browser


class NamekoLiveViewer(models.Model):
    _name = "nameko.live.viewer"
    _description = "Browser with a Live View"
    _log_access = False

    connection = fields.Char(required=True, help="Names a websocket, and with it a browser.")
    channel = fields.Char(required=True)
    since = fields.Datetime(required=True)

    _once = models.Constraint("UNIQUE (connection, channel)")

    @api.model
    def _note(self, connection: str, channels: Sequence[str]) -> list[str]:
        """Note which channels a browser listens to; return those that it did not listen to."""
        heard = list(channels[:MOST_CHANNELS])
        self.env.cr.execute(
            "DELETE FROM nameko_live_viewer WHERE connection = %s AND channel != ALL(%s::text[])",
            [connection, heard],
        )
        self.env.cr.execute(
            "INSERT INTO nameko_live_viewer (connection, channel, since)"
            " SELECT %s, channel, now() AT TIME ZONE 'UTC' FROM unnest(%s::text[]) AS channel"
            " ON CONFLICT (connection, channel) DO UPDATE SET since = excluded.since"
            " RETURNING channel, xmax = 0",
            [connection, heard],
        )
        return [channel for channel, is_new in self.env.cr.fetchall() if is_new]

    @api.model
    def _listened(self) -> dict[str, int]:
        """Return the channels that somebody listens to, with the number of browsers."""
        self.env.cr.execute(
            "SELECT channel, count(*) FROM nameko_live_viewer"
            " WHERE since > now() AT TIME ZONE 'UTC' - %s::interval GROUP BY channel",
            [LONGEST],
        )
        return dict(self.env.cr.fetchall())

    @api.autovacuum
    def _gc_old(self) -> None:
        self.env.cr.execute(
            "DELETE FROM nameko_live_viewer WHERE since < now() AT TIME ZONE 'UTC' - %s::interval",
            [LONGEST],
        )
