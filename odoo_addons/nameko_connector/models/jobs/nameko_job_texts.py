"""The arguments and the result of a job as readable texts."""

import json
from collections.abc import Callable
from typing import Any

from odoo import api, fields, models

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
