"""The page of Nameko among the settings."""

import math
import re
from typing import Any

from odoo import api, fields, models
from odoo.exceptions import AccessError, ValidationError

from ..broker.config import InvalidBrokerConfig
from ..client_actions import notification
from ..configuration import broker_config, broker_source
from ..connection_test import Verdict, try_broker
from ..parameters import (
    ALLOWED_SERVICES,
    DEFAULT_RETRY_DELAYS,
    GONE_BEATS,
    INSTANCE_DAYS,
    JOB_MAX_ATTEMPTS,
    JOB_RETRY_DELAYS,
    JOB_TIMEOUT,
    KEEP_DAYS,
    LATE_BEATS,
)
from .nameko_rpc_allowed import service_names

MOST = 2**31 - 1
MOST_DAYS = 36_500
MOST_TRIED = 100  # services that the test of the connection looks at
OWN_SERVICES = {"compute", "mail"}  # which this addon calls itself
SERVICE_NAME = re.compile(r"[^\s.,#*]{1,200}")


class ResConfigSettings(models.TransientModel):
    _inherit = "res.config.settings"

    nameko_broker = fields.Char("Broker", compute="_compute_nameko_broker")
    nameko_broker_source = fields.Char("Set By", compute="_compute_nameko_broker")
    nameko_job_timeout = fields.Float(
        "Timeout (s)",
        config_parameter=JOB_TIMEOUT.key,
        default=JOB_TIMEOUT.default,
    )
    nameko_job_max_attempts = fields.Integer(
        "Most Attempts",
        config_parameter=JOB_MAX_ATTEMPTS.key,
        default=JOB_MAX_ATTEMPTS.default,
    )
    nameko_job_retry_delays = fields.Char(
        "Retry Delays (s)",
        config_parameter=JOB_RETRY_DELAYS,
        default=DEFAULT_RETRY_DELAYS,
    )
    nameko_keep_days = fields.Float(
        "Keep Finished Jobs (days)",
        config_parameter=KEEP_DAYS.key,
        default=KEEP_DAYS.default,
    )
    nameko_late_beats = fields.Integer(
        "Late After (beats)", config_parameter=LATE_BEATS.key, default=LATE_BEATS.default
    )
    nameko_gone_beats = fields.Integer(
        "Gone After (beats)", config_parameter=GONE_BEATS.key, default=GONE_BEATS.default
    )
    nameko_instance_days = fields.Float(
        "Keep Gone Instances (days)",
        config_parameter=INSTANCE_DAYS.key,
        default=INSTANCE_DAYS.default,
    )
    nameko_allowed_services = fields.Char("Allowed Services", config_parameter=ALLOWED_SERVICES)

    def _compute_nameko_broker(self) -> None:
        try:
            address = broker_config().address
        except InvalidBrokerConfig as error:
            address = str(error)
        self.nameko_broker = address
        self.nameko_broker_source = broker_source()

    @api.constrains(
        "nameko_job_timeout",
        "nameko_job_max_attempts",
        "nameko_keep_days",
        "nameko_late_beats",
        "nameko_gone_beats",
        "nameko_instance_days",
    )
    def _check_nameko_numbers(self) -> None:
        for settings in self:
            settings._check_nameko_range("nameko_job_timeout", MOST)
            settings._check_nameko_range("nameko_job_max_attempts", MOST)
            settings._check_nameko_range("nameko_keep_days", MOST_DAYS)
            settings._check_nameko_range("nameko_instance_days", MOST_DAYS)
            settings._check_nameko_range("nameko_late_beats", MOST)
            settings._check_nameko_range("nameko_gone_beats", MOST)
            if settings.nameko_gone_beats <= settings.nameko_late_beats:
                text = self.env._("An instance must be late before it is gone: give fewer beats.")
                raise ValidationError(text)

    def _check_nameko_range(self, name: str, most: float) -> None:
        if not 0 < self[name] <= most:
            raise ValidationError(
                self.env._(
                    "“%(field)s” is %(value)s: it must be above 0, and at most %(most)s.",
                    field=self._fields[name]._description_string(self.env),
                    value=f"{self[name]:g}",
                    most=f"{most:,}",
                )
            )

    @api.constrains("nameko_job_retry_delays")
    def _check_nameko_retry_delays(self) -> None:
        for settings in self:
            delays = (settings.nameko_job_retry_delays or "").split(",")
            if not all(map(_is_delay, delays)):
                raise ValidationError(
                    self.env._(
                        "The retry delays are seconds, separated by commas, as “10, 60, 300”; "
                        "“%s” is not.",
                        settings.nameko_job_retry_delays or "",
                    )
                )

    @api.constrains("nameko_allowed_services")
    def _check_nameko_allowed_services(self) -> None:
        for settings in self:
            for name in service_names(settings.nameko_allowed_services or ""):
                if not SERVICE_NAME.fullmatch(name):
                    text = self.env._(
                        "“%s” is no name of a service: separate them by commas.", name
                    )
                    raise ValidationError(text)

    def action_nameko_test_connection(self) -> dict[str, Any]:
        """Say in words whether calls would find their services, and if not, why."""
        if not self.env.is_system():
            raise AccessError(self.env._("Only administrators may test the connection."))
        verdict = self._test_nameko_connection()
        title = self.env._("It works") if verdict.is_good else self.env._("It does not work")
        return notification(
            verdict.text, "success" if verdict.is_good else "danger", title=title, sticky=True
        )

    @api.model
    def _test_nameko_connection(self) -> Verdict:
        try:
            config = broker_config()
        except InvalidBrokerConfig as error:
            return Verdict(False, str(error))
        return try_broker(config, self._nameko_services()[:MOST_TRIED], self.env._)

    @api.model
    def _nameko_services(self) -> list[str]:
        """The services that are allowed or, if all are, known."""
        text = self.env["ir.config_parameter"].sudo().get_param(ALLOWED_SERVICES) or ""
        listed = self.env["nameko.service"].sudo().search([], limit=MOST_TRIED).mapped("name")
        return sorted(service_names(text) or OWN_SERVICES.union(listed))


def _is_delay(text: str) -> bool:
    try:
        return 0 <= float(text) < math.inf
    except ValueError:
        return False
