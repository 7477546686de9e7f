"""What a policy says about the jobs that it holds."""

from odoo import api, fields, models
from odoo.tools.misc import format_datetime, format_time

from ...job_store.claiming import limits
from ...job_store.claiming.limits import Held, Room


class NamekoPolicy(models.Model):
    _inherit = "nameko.policy"

    @api.model
    def _held(self, jobs: models.BaseModel) -> dict[models.BaseModel, Held]:
        """Return for each of these jobs what holds those of its method now, if anything does."""
        self.flush_model()
        policies = self.search([("service", "in", list({job.service for job in jobs}))])
        if not policies:
            return {}
        rooms = limits.rooms(self.env.cr, policies.ids)
        known = {
            (each.service, each.method or ""): (
                each._pause_text(),
                each._limit_text(rooms[each.id]),
            )
            for each in policies
        }
        held = {}
        for job in jobs:
            texts = [known.get((job.service, name), ("", "")) for name in ("", job.method)]
            held[job] = Held(*(next(filter(None, each), "") for each in zip(*texts, strict=True)))
        return held

    def _pause_text(self) -> str:
        """Return that and why it is paused, and until when; "" if it is not."""
        self.ensure_one()
        if not self._pauses():
            return ""
        reason = (self.pause_reason or "").strip()
        if not self.paused_until:
            return self.env._("Paused: %s", reason) if reason else self.env._("Paused.")
        time = self._shown_end()
        if not reason:
            return self.env._("Paused until %s.", time)
        return self.env._("Paused: %(reason)s (until %(time)s)", reason=reason, time=time)

    def _shown_end(self) -> str:
        """Return the end of the pause: only its time, if it is today."""
        end, now = (
            fields.Datetime.context_timestamp(self, moment)
            for moment in (self.paused_until, self._clock())
        )
        if end.date() == now.date():
            return str(format_time(self.env, end.time(), time_format="short"))
        return str(format_datetime(self.env, self.paused_until))

    def _limit_text(self, room: Room) -> str:
        """Return the limit that has no room; "" if there is room."""
        if room.at_once is not None and room.at_once < 1:
            return self.env._("Limit of %s at a time.", self.most_at_once)
        if room.rate is None or room.rate > 0:
            return ""
        texts = {
            "second": self.env._("Limit of %s a second.", self.rate),
            "minute": self.env._("Limit of %s a minute.", self.rate),
            "hour": self.env._("Limit of %s an hour.", self.rate),
        }
        return texts[self.rate_unit]
