"""Policies: what managers set for a service, or for one of its methods."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from odoo import api, fields, models
from odoo.exceptions import ValidationError

from ...broker.amqp.names import are_names
from ...job_store.monitoring.held import first_ready
from ...tools.fields import Int4

UNITS = [("second", "Second"), ("minute", "Minute"), ("hour", "Hour")]
NAMES = ("service", "method")


class NamekoPolicy(models.Model):
    """The relays read the pauses and limits with `job_store.claiming`, each time they send jobs."""

    _name = "nameko.policy"
    _description = "Policy"
    _nameko_live = True
    _order = "service, method, id"
    _rec_names_search = ("service", "method")

    service = fields.Char(required=True)
    method = fields.Char(help="Empty: the policy is of the whole service.")

    is_paused = fields.Boolean("Paused", help="No job is sent. Those that are sent are finished.")
    pause_reason = fields.Char("Reason", help="It is shown at the jobs that wait.")
    paused_until = fields.Datetime("Until", help="Then it resumes by itself. Empty: no end.")

    most_at_once = Int4(
        "Jobs at a Time",
        aggregator=None,
        help="So many jobs at most are sent and have not ended. 0: no limit. A job whose timeout "
        "has passed has ended, though the service may still work on it.",
    )
    rate = Int4("Starts", aggregator=None, help="So many jobs at most are sent. 0: no limit.")
    rate_unit = fields.Selection(UNITS, "Per", required=True, default="minute")

    _once = models.UniqueIndex(
        "(service, COALESCE(method, ''))", "A service or method has one policy."
    )

    @api.depends("service", "method")
    def _compute_display_name(self) -> None:
        for policy in self:
            policy.display_name = ".".join(filter(None, (policy.service, policy.method)))

    @api.constrains("service", "method")
    def _check_names(self) -> None:
        for policy in self:
            if not are_names(policy.service, policy.method or "x"):
                text = self.env._("No service or method can be named “%s”.", policy.display_name)
                raise ValidationError(text)

    @api.constrains("most_at_once", "rate")
    def _check_limits(self) -> None:
        for policy in self:
            if policy.most_at_once < 0 or policy.rate < 0:
                raise ValidationError(self.env._("A limit is a number above 0, or 0 for no limit."))

    @api.constrains("is_paused", "paused_until")
    def _check_pause(self) -> None:
        for policy in self:
            if policy.is_paused and policy.paused_until and policy.paused_until <= self._clock():
                raise ValidationError(self.env._("The end of a pause must be in the future."))

    @api.model_create_multi
    def create(self, vals_list: list[dict[str, Any]]) -> "NamekoPolicy":
        """Have the relays heed the new policies."""
        policies: NamekoPolicy = super().create([_cleaned(values) for values in vals_list])
        policies._apply()
        return policies

    def write(self, vals: dict[str, Any]) -> bool:
        """Have the relays heed the change."""
        written: bool = super().write(_cleaned(vals))
        self._apply()
        return written

    def unlink(self) -> bool:
        """Have the relays heed that the policies are gone."""
        self._apply()
        unlinked: bool = super().unlink()
        return unlinked

    def _apply(self) -> None:
        """Wake the relays, and reload open views, after the commit."""
        self.env["nameko.job"]._wake()
        self._note_changed(self.ids)

    @api.model
    def _note_changed(self, policy_ids: Collection[int]) -> None:
        """Reload open views of these policies and of jobs that wait, which say why."""
        if policy_ids:
            self.flush_model(NAMES)
            changed = [(self._name, policy_id) for policy_id in policy_ids]
            self.env["nameko.live"]._note([*changed, *first_ready(self.env.cr, policy_ids)])

    @api.model
    def _pause(self, service: str, reason: str, until: datetime | None) -> None:
        """Pause a service."""
        values = {"is_paused": True, "pause_reason": reason, "paused_until": until}
        policy = self._of_service(service)
        if policy:
            policy.write(values)
        else:
            self.create({"service": service, **values})

    def _resume(self) -> None:
        """End the pauses of these policies."""
        self.filtered("is_paused").write({"is_paused": False})

    @api.model
    def _of_service(self, service: str) -> "NamekoPolicy":
        """Return the policy of a whole service, if it has one."""
        return self.search([("service", "=", service), ("method", "=", False)])

    def _pauses(self) -> bool:
        """Return whether the policy pauses its jobs now, also if no relay has ended the pause."""
        return bool(
            self.is_paused and not (self.paused_until and self.paused_until <= self._clock())
        )

    @api.model
    def _clock(self) -> datetime:
        return fields.Datetime.now()


def _cleaned(values: dict[str, Any]) -> dict[str, Any]:
    """Return values with names as jobs have them, and without the reason of a pause that ends."""
    names = {name: (values[name] or "").strip() or False for name in NAMES if name in values}
    ended = {"pause_reason": False, "paused_until": False}
    return {**values, **names, **(ended if values.get("is_paused") is False else {})}
