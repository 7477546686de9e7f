"""What an administrator may change: system parameters, with what counts without them."""

import math
from dataclasses import dataclass

from odoo import api

PREFIX = "nameko_compute."


@dataclass(frozen=True)
class Number:
    """A system parameter that is a number above 0."""

    name: str
    default: float

    @property
    def key(self) -> str:
        """Its name among the system parameters."""
        return f"{PREFIX}{self.name}"

    def read(self, env: api.Environment) -> float:
        """Give its value; the default where what stands there is no number above 0."""
        text = env["ir.config_parameter"].sudo().get_param(self.key, self.default)
        try:
            value = float(text)
        except ValueError:
            return self.default
        return value if 0 < value < math.inf else self.default


JOB_TIMEOUT = Number("job_timeout", 3600)  # s for an answer
JOB_MAX_ATTEMPTS = Number("job_max_attempts", 3)
KEEP_DAYS = Number("keep_days", 30)  # after which a finished job is deleted
LATE_BEATS = Number("late_beats", 2)  # missed in a row, after which an instance is late
GONE_BEATS = Number("gone_beats", 5)  # missed in a row, after which it is gone
INSTANCE_DAYS = Number("instance_days", 7)  # after which an instance that is gone is deleted

JOB_RETRY_DELAYS = f"{PREFIX}job_retry_delays"  # s, separated by commas
DEFAULT_RETRY_DELAYS = "10,60,300"
ALLOWED_SERVICES = f"{PREFIX}allowed_services"  # separated by commas; empty: all
