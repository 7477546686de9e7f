"""The settings page of Nameko."""

import math
import re
from collections.abc import Collection
from typing import Any

from odoo import api, fields, models
from odoo.exceptions import AccessError, ValidationError

from ..broker.amqp.config import InvalidBrokerConfig
from ..tools.client_actions import Kind, notification
from ..tools.configuration import broker_config, broker_source
from ..tools.connection_test import Verdict, try_broker
from ..tools.fields import MOST, Int4
from ..tools.parameters import (
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
from .calls.nameko_rpc_allowed import allowed_services, service_names

MOST_DAYS = 36_500
MOST_TRIED = 100  # services that the connection test checks
SERVICE_NAME = re.compile(r"[^\s.,#*]{1,200}")


class ResConfigSettings(models.TransientModel):
    _inherit = "res.config.settings"

    nameko_broker = fields.Char("Broker", compute="_compute_nameko_broker")
    nameko_asks = fields.Boolean(compute="_compute_nameko_asks")
    nameko_broker_source = fields.Char("Set By", compute="_compute_nameko_broker")
    nameko_job_timeout = fields.Float(
        "Timeout (s)",
        config_parameter=JOB_TIMEOUT.key,
        default=JOB_TIMEOUT.default,
    )
    nameko_job_max_attempts = Int4(
        "Maximum Attempts",
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
    nameko_late_beats = Int4(
        "Late After (beats)", config_parameter=LATE_BEATS.key, default=LATE_BEATS.default
    )
    nameko_gone_beats = Int4(
        "Gone After (beats)", config_parameter=GONE_BEATS.key, default=GONE_BEATS.default
    )
    nameko_instance_days = fields.Float(
        "Keep Gone Instances (days)",
        config_parameter=INSTANCE_DAYS.key,
        default=INSTANCE_DAYS.default,
    )
    nameko_allowed_services = fields.Char("Allowed Services", config_parameter=ALLOWED_SERVICES)

    def _compute_nameko_asks(self) -> None:
        self.nameko_asks = self.env["nameko.database"].sudo()._is_asking()

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
                text = self.env._("“Late After” must be less than “Gone After”.")
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
            text = settings.nameko_allowed_services or ""
            names = service_names(text)
            if text.strip() and not names:
                text = self.env._(
                    "“%s” names no service: write names, separated by commas, or leave it empty to "
                    "allow all.",
                    text,
                )
                raise ValidationError(text)
            for name in names:
                if not SERVICE_NAME.fullmatch(name):
                    text = self.env._(
                        "“%s” is not the name of a service. Separate names by commas.", name
                    )
                    raise ValidationError(text)

    @api.onchange("nameko_allowed_services")
    def _onchange_nameko_allowed_services(self) -> dict[str, Any] | None:
        """Warn of unknown names, as a typing error would make a service unavailable."""
        names = service_names(self.nameko_allowed_services or "")
        unknown = names.difference(
            service_names(allowed_services(self.env)), self._nameko_known_services(names)
        )
        if not unknown:
            return None
        return {
            "warning": {
                "title": self.env._("Unknown services"),
                "message": self.env._(
                    "No service of this name has been seen: %s. Check the spelling. Services that "
                    "are not in the list cannot be called.",
                    ", ".join(sorted(unknown)),
                ),
            }
        }

    def _nameko_known_services(self, names: Collection[str]) -> set[str]:
        listed = self.env["nameko.service"].sudo().search([("name", "in", list(names))])
        sent_to = self.env["nameko.route"].sudo().search([("service", "in", list(names))])
        return {*listed.mapped("name"), *sent_to.mapped("service")}

    def action_nameko_moved(self) -> dict[str, Any]:
        """Confirm that this database is the original, moved here."""
        self._check_nameko_answers()
        counts = self.env["nameko.database"].sudo()._answer_moved()
        return self._nameko_answered(counts, self.env._("This is the original: its jobs go on."))

    def action_nameko_copy(self) -> dict[str, Any]:
        """Confirm that this database is a copy."""
        self._check_nameko_answers()
        counts = self.env["nameko.database"].sudo()._answer_copy()
        text = self.env._("This is a copy: the jobs of its original were cancelled here.")
        return self._nameko_answered(counts, text)

    def _nameko_answered(self, counts: bool, text: str) -> dict[str, Any]:
        """Return a notification; counts: whether this answer was the first and took effect."""
        if counts:
            return notification(text, "success", reload=True)
        text = self.env._("Somebody else has already answered. Nothing was changed.")
        return notification(text, "warning", reload=True)

    def _check_nameko_answers(self) -> None:
        if not self.env.is_system():
            text = self.env._("Only administrators may say which database this is.")
            raise AccessError(text)

    def action_nameko_test_connection(self) -> dict[str, Any]:
        """Test the connection; return a notification that says whether calls would work."""
        if not self.env.is_system():
            raise AccessError(self.env._("Only administrators may test the connection."))
        verdict = self._test_nameko_connection()
        if verdict.is_good:
            title = self.env._("It works")
        elif verdict.is_connected:
            title = self.env._("Connected, but no service is running")
        else:
            title = self.env._("It does not work")
        kind: Kind = "success" if verdict.is_good else "danger"
        return notification(verdict.text, kind, title=title, sticky=True)

    @api.model
    def _test_nameko_connection(self) -> Verdict:
        try:
            config = broker_config()
        except InvalidBrokerConfig as error:
            return Verdict(False, str(error))
        return try_broker(config, self._nameko_services()[:MOST_TRIED], self.env)

    @api.model
    def _nameko_services(self) -> list[str]:
        """Return the allowed services or, if all are allowed, those in the catalogue."""
        listed = self.env["nameko.service"].sudo().search([], limit=MOST_TRIED).mapped("name")
        return sorted(service_names(allowed_services(self.env)) or listed)


def _is_delay(text: str) -> bool:
    try:
        return 0 <= float(text) < math.inf
    except ValueError:
        return False
