"""Texts of a job: its arguments and its result, and what it waits for."""

import json
from collections.abc import Callable
from typing import Any

from odoo import api, fields, models
from odoo.tools.misc import format_datetime

from ...job_store.claiming.limits import Held
from ...tools.texts import clean, pretty

MOST_SHOWN = 20_000  # characters: a browser need not load megabytes to show a form
MOST_READ = 200_000  # characters of JSON that is formatted


class NamekoJob(models.Model):
    _inherit = "nameko.job"

    shown_arguments = fields.Text("Arguments Sent", compute="_compute_shown_arguments")
    shown_result = fields.Text("Result Received", compute="_compute_shown_result")

    @api.depends("arguments")
    def _compute_shown_arguments(self) -> None:
        for job in self:
            job.shown_arguments = job._shortened(_readable(job.arguments, _arguments))

    @api.depends("result", "has_result")
    def _compute_shown_result(self) -> None:
        for job in self:
            job.shown_result = job.has_result and job._shortened(_readable(job.result, pretty))

    def _shortened(self, text: str) -> str:
        """Return the text; of a long one, the beginning and the number of other characters."""
        text = clean(text)
        if len(text) <= MOST_SHOWN:
            return text
        more = self.env._("… (%s more characters)", len(text) - MOST_SHOWN)
        return f"{text[:MOST_SHOWN]}\n{more}"

    def _waits_for(self, held: Held, is_away: bool, relay_runs: bool) -> str:
        if self.is_waiting:
            return self._waits_for_others(relay_runs)
        if not self.is_ready:
            return self._waits_until(format_datetime(self.env, self.eta))
        if held.pause:
            return held.pause
        if not relay_runs:
            return self._waits_for_a_relay()
        if is_away:
            return self.env._(
                "The service %s has no queue. Start it, or check its name.", self.service
            )
        return held.limit or self.env._("Waits for its turn.")

    def _waits_for_a_relay(self) -> str:
        return self.env._(
            "No relay works: it is stopped, or cannot reach the message broker. Odoo "
            "tries itself once a minute."
        )

    def _waits_for_others(self, relay_runs: bool) -> str:
        if self.limit_key and self.eta and self.eta > fields.Datetime.now():
            return self._waits_until(format_datetime(self.env, self.eta))
        earlier = self.sudo().predecessor_ids
        done = len(earlier.filtered(lambda job: job.state == "done"))
        if self.limit_key and done == len(earlier):
            if not relay_runs:
                return self._waits_for_a_relay()
            return self.env._(
                "Waits for earlier jobs with the limit key %(key)s. Of these, %(most)s may run at "
                "a time.",
                key=self.limit_key,
                most=self.most_at_once,
            )
        return self.env._(
            "Waits for other jobs: %(done)s of %(all)s are done.", done=done, all=len(earlier)
        )

    def _waits_until(self, time: str) -> str:
        if self.attempts:
            return self.env._(
                "Is tried again on %(time)s (attempt %(number)s of %(most)s).",
                time=time,
                number=self.attempts + 1,
                most=self.max_attempts,
            )
        if self.asked_again:
            return self.env._(
                "Asks the service again on %(time)s (%(number)s of %(most)s times at most).",
                time=time,
                number=self.asked_again,
                most=self.max_again,
            )
        return self.env._("Not before %s.", time)


def _readable(text: str | None, write: Callable[[Any], str]) -> str:
    """Format a JSON text with `write`; return it unchanged if it is long or not JSON."""
    if text is None or len(text) > MOST_READ:
        return text or ""
    try:
        return write(json.loads(text))
    except (ValueError, RecursionError):
        return text


def _arguments(sent: Any) -> str:
    """Return one argument per line, keyword arguments with their names."""
    if not isinstance(sent, dict) or not {"args", "kwargs"} <= sent.keys():
        return pretty(sent)
    lines = [pretty(each) for each in sent["args"]]
    lines += [f"{name} = {pretty(each)}" for name, each in sent["kwargs"].items()]
    return "\n".join(lines)
