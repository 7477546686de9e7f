"""The model `nameko.compute`: an example of buttons that call a Nameko service."""

import math
from collections.abc import Iterator
from typing import Any

from odoo import api, fields, models
from odoo.addons.nameko_connector.broker.amqp.request import Request
from odoo.addons.nameko_connector.exceptions import NamekoError, RemoteError, UnusableResult
from odoo.addons.nameko_connector.models.calls.nameko_rpc_service import Service
from odoo.addons.nameko_connector.tools.client_actions import Kind, notification
from odoo.addons.nameko_connector.tools.locks import is_under_way
from odoo.addons.nameko_connector.tools.option_checks import are_saved
from odoo.addons.nameko_connector.tools.texts import shorten
from odoo.exceptions import UserError, ValidationError
from odoo.tools import split_every

PAIRS_A_REQUEST = 1000

# By record: its result, or the error that occurred.
Outcomes = dict[models.Model, float | NamekoError]


class NamekoCompute(models.Model):
    _name = "nameko.compute"
    _description = "Computation"
    _order = "id desc"

    name = fields.Char(required=True, default=lambda self: self.env._("New computation"))
    operation = fields.Selection(
        [("sum", "Sum"), ("sub", "Subtraction"), ("mul", "Multiplication"), ("div", "Division")],
        default="sum",
        required=True,
    )
    value = fields.Float(digits=False, required=True)
    other = fields.Float(digits=False, required=True)
    is_mailed = fields.Boolean(
        string="Mail Me the Result",
        help="“Compute” and “Compute Later” mail the result, or the error, to the address of the "
        "user who presses them. “Sum” and “Number of Primes” send no mail.",
    )
    result = fields.Float(digits=False, readonly=True, copy=False)
    state = fields.Selection(
        [("draft", "Draft"), ("done", "Done"), ("failed", "Failed")],
        default="draft",
        required=True,
        readonly=True,
        copy=False,
        index=True,
    )
    error = fields.Text(readonly=True, copy=False)
    computed_by_id = fields.Many2one("res.users", readonly=True, copy=False)
    computed_at = fields.Datetime(readonly=True, copy=False)
    company_id = fields.Many2one(
        "res.company", required=True, index=True, default=lambda self: self.env.company
    )

    @api.constrains("value", "other")
    def _check_operands(self) -> None:
        for record in self:
            if not (math.isfinite(record.value) and math.isfinite(record.other)):
                raise ValidationError(
                    self.env._("“%s” has an operand that is not a number.", record.name)
                )

    @api.onchange("operation", "value", "other")
    def _onchange_operands(self) -> None:
        self.state = "draft"

    def action_suma(self) -> dict[str, Any] | None:
        """Call the service `compute` to add the operands of the sums, and write the results.

        For one record, raise the error and write nothing. For several, write errors to the records.

        :raises odoo.exceptions.UserError: none of the records is a sum that can be computed now
        :raises exceptions.NamekoError: the call failed; the message says why and what to do
        """
        self._check_pressed()
        todo, skipped = self._ready_now(sums_only=True)
        if len(self) == 1:
            todo._write_one(todo._service().call.method(*todo._operands()))
            return None
        return todo._have_many_computed(mailed=False, skipped=skipped)

    def action_compute(self) -> dict[str, Any] | None:
        """Call the service `compute` for any operation; write the results as `action_suma` does."""
        self._check_pressed()
        todo, skipped = self._ready_now(sums_only=False)
        if len(self) == 1:
            arguments = (todo.operation, *todo._operands(), todo._mail_address())
            todo._write_one(todo._service().call.compute(*arguments))
            return None
        return todo._have_many_computed(mailed=True, skipped=skipped)

    def _check_pressed(self) -> None:
        """Raise unless the records are saved, writable and not being computed already."""
        self.check_access("write")
        if not are_saved(self):
            raise UserError(self.env._("Save the record first."))
        if is_under_way(self, "compute"):
            raise UserError(
                self.env._(
                    "This is already being computed, after an earlier click. Wait until it is done."
                )
            )

    def _ready_now(self, *, sums_only: bool) -> tuple["NamekoCompute", list[str]]:
        """Return the records that can be computed now, and messages that say why others cannot.

        :raises odoo.exceptions.UserError: none of the records can be computed now
        """
        todo, reasons = self, []
        for refused, reason in self._not_now(sums_only=sums_only):
            if refused and refused == self:
                raise UserError(reason)
            if count := len(refused & todo):
                reasons.append(self.env._("%(count)s skipped: %(reason)s",
                                          count=count, reason=reason))  # fmt: skip
            todo -= refused
        if self and not todo:
            raise UserError("\n".join(reasons))
        return todo, reasons

    def _not_now(self, *, sums_only: bool) -> list[tuple["NamekoCompute", str]]:
        """Return records that cannot be computed now, with the reason."""
        others = self.filtered(lambda record: sums_only and record.operation != "sum")
        reason = self.env._("The operation is not “Sum”. Press “Compute”, or select “Sum”.")
        return [(others, reason)]

    def _service(self, **options: Any) -> Service:
        return self.env["nameko.rpc"].service("compute", **options)

    def _write_one(self, answer: Any) -> None:
        result = {"result": self._to_number(answer)}
        self.sudo().write({**self._fresh_values(), **self._done_values(), **result})

    def _have_many_computed(self, *, mailed: bool, skipped: list[str]) -> dict[str, Any]:
        """Compute in batches; if a record's result is mailed, send its own request."""
        to_mail = self.filtered("is_mailed") if mailed else self.browse()
        outcomes = {**(self - to_mail)._batch_outcomes(), **to_mail._single_outcomes()}
        self._raise_if_nothing_ran(outcomes)
        self.sudo().write(self._fresh_values())
        self._write_outcomes(outcomes)
        return self._many_done(outcomes, skipped)

    def _batch_outcomes(self) -> Outcomes:
        """Compute many pairs per request; if one fails, send a request for each of its records."""
        batches = list(self._batches())
        requests = [
            Request("compute", "map", (batch[0].operation, [r._operands() for r in batch]))
            for batch in batches
        ]
        outcomes: Outcomes = {}
        for batch, answer in zip(batches, self._call_many(requests), strict=True):
            if isinstance(answer, RemoteError):
                outcomes |= batch._single_outcomes()
            elif isinstance(answer, NamekoError):
                outcomes |= dict.fromkeys(batch, answer)
            else:
                outcomes |= batch._number_outcomes(answer)
        return outcomes

    def _single_outcomes(self) -> Outcomes:
        requests = [
            Request("compute", "compute", (r.operation, *r._operands(), r._mail_address()))
            for r in self
        ]
        return self._number_outcomes(self._call_many(requests))

    def _call_many(self, requests: list[Request]) -> list[Any | NamekoError]:
        return self.env["nameko.rpc"].call_many(requests) if requests else []

    def _batches(self) -> Iterator["NamekoCompute"]:
        for records in self.grouped("operation").values():
            for batch in split_every(PAIRS_A_REQUEST, records.ids):
                yield self.browse(batch)

    def _number_outcomes(self, answers: list[Any]) -> Outcomes:
        return {
            record: self._number_or_error(answer)
            for record, answer in zip(self, answers, strict=True)
        }

    def _number_or_error(self, answer: Any) -> float | NamekoError:
        if isinstance(answer, NamekoError):
            return answer
        try:
            return self._to_number(answer)
        except UnusableResult as error:
            return error

    def _to_number(self, answer: Any) -> float:
        """Return the answer as a float; raise UnusableResult if that changes its value."""
        if not _is_exact_float(answer):
            shown = shorten(answer)
            raise UnusableResult(
                self.env._("The service answered %s, which the result cannot hold.", shown)
            )
        return float(answer)

    def _raise_if_nothing_ran(self, outcomes: Outcomes) -> None:
        """Raise the first error if every record failed because of the broker or the service."""
        errors = [outcome for outcome in outcomes.values() if isinstance(outcome, NamekoError)]
        if errors and len(errors) == len(outcomes) and type(errors[0]) not in RECORD_ERRORS:
            raise errors[0]

    def _write_outcomes(self, outcomes: Outcomes) -> None:
        failed = {r.sudo(): o for r, o in outcomes.items() if isinstance(o, NamekoError)}
        done = {r.sudo(): o for r, o in outcomes.items() if r.sudo() not in failed}
        for record, result in done.items():
            record.result = result
        self.sudo().browse(record.id for record in done).write(self._done_values())
        self.sudo().browse(record.id for record in failed).write(
            {**self._done_values(), "state": "failed", "result": 0}
        )
        for record, error in failed.items():
            record.error = str(error)

    def _done_values(self) -> dict[str, Any]:
        return {
            "state": "done",
            "error": False,
            "computed_by_id": self.env.uid,
            "computed_at": fields.Datetime.now(),
        }

    def _many_done(self, outcomes: Outcomes, skipped: list[str]) -> dict[str, Any]:
        """Return a notification that counts results and errors, and reloads the view."""
        failed = sum(isinstance(outcome, NamekoError) for outcome in outcomes.values())
        done = len(outcomes) - failed
        message = self.env._("%(done)s computed, %(failed)s failed", done=done, failed=failed)
        kind: Kind = "warning" if failed or skipped else "success"
        return notification(
            "\n".join([f"{message}.", *skipped] if skipped else [message]), kind, reload=True
        )

    def _operands(self) -> tuple[int | float, int | float]:
        return _wire_number(self.value), _wire_number(self.other)

    def _mail_address(self) -> str | None:
        return (self.env.user.email or None) if self.is_mailed else None


# Errors that concern one record: the others can still succeed.
RECORD_ERRORS = (RemoteError, UnusableResult)


def _wire_number(value: float) -> int | float:
    """Return a whole number as an integer, so that the service computes exactly."""
    return int(value) if value.is_integer() else value


def _is_exact_float(answer: Any) -> bool:
    if isinstance(answer, bool) or not isinstance(answer, int | float):
        return False
    try:
        return math.isfinite(answer) and float(answer) == answer
    except OverflowError:
        return False
