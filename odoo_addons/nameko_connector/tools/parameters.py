"""The system parameters that an administrator may set, with their defaults."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from odoo import api

from .fields import MOST

PREFIX = "nameko_connector."
MOST_DELAY = 31_536_000  # s: a year
MOST_DAYS = 36_500


@dataclass(frozen=True)
class Number:
    """A system parameter that is a number above 0, and at most `most`."""

    name: str
    default: float
    most: float = MOST

    @property
    def key(self) -> str:
        """The key of the system parameter."""
        return f"{PREFIX}{self.name}"

    def value(self, env: api.Environment) -> float:
        """Return its value; the default if the stored value is invalid."""
        value = _number(env["ir.config_parameter"].sudo().get_param(self.key, self.default))
        return value if self.takes(value) else self.default

    def takes(self, value: object) -> bool:
        """Return whether it may have this value."""
        return 0 < _number(value) <= self.most


def _number(value: object) -> float:
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return math.nan


def delays_of(text: str) -> list[float]:
    """Return the seconds in a text such as "10, 60, 300"; [] if one of them is invalid."""
    delays = [_number(each) for each in text.split(",")]
    return delays if all(0 <= delay <= MOST_DELAY for delay in delays) else []


def retry_delays_text(delays: Iterable[float]) -> str:
    """Return delays as a job stores them: without exponents, so that the SQL can read them."""
    return ",".join(f"{delay:.6f}".rstrip("0").rstrip(".") for delay in delays)


JOB_TIMEOUT = Number("job_timeout", 3600)  # s for an answer
JOB_MAX_ATTEMPTS = Number("job_max_attempts", 3)
JOB_MAX_AGAIN = Number("job_max_again", 1000)  # how often a callback may have a job ask again
KEEP_DAYS = Number("keep_days", 30, MOST_DAYS)  # after which a finished job is deleted
LATE_BEATS = Number("late_beats", 2)  # missed in a row, after which an instance is late
GONE_BEATS = Number("gone_beats", 5)  # missed in a row, after which it is gone
INSTANCE_DAYS = Number(
    "instance_days", 7, MOST_DAYS
)  # after which an instance that is gone is deleted

JOB_RETRY_DELAYS = f"{PREFIX}job_retry_delays"  # s, separated by commas
DEFAULT_RETRY_DELAYS = "10,60,300"
ALLOWED_SERVICES = f"{PREFIX}allowed_services"  # separated by commas; empty: all
NUMBERS = (
    JOB_TIMEOUT, JOB_MAX_ATTEMPTS, JOB_MAX_AGAIN, KEEP_DAYS, LATE_BEATS, GONE_BEATS, INSTANCE_DAYS,
)  # fmt: skip


def read_retry_delays(env: api.Environment) -> str:
    """Return the default retry delays of jobs; DEFAULT_RETRY_DELAYS if the setting is invalid."""
    text = env["ir.config_parameter"].sudo().get_param(JOB_RETRY_DELAYS, DEFAULT_RETRY_DELAYS)
    return retry_delays_text(delays_of(str(text)) or delays_of(DEFAULT_RETRY_DELAYS))
