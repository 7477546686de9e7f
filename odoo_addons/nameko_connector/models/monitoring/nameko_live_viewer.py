"""The browsers' subscriptions to channels of live views. Other channels get no messages."""

from collections.abc import Sequence

from odoo import api, fields, models

LONGEST = "1 day"  # validity of a subscription: a killed Odoo does not delete it
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
        """Store the channels that a browser is subscribed to; return the new ones."""
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
        """Return the number of subscribed browsers by channel."""
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
