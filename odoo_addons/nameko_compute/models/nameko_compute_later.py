"""The model `nameko.compute`: computations that jobs perform in the background."""

import logging
from typing import Any

from odoo import api, fields, models
from odoo.addons.nameko_connector.exceptions import NamekoError
from odoo.addons.nameko_connector.job_store.rows import LIVE
from odoo.addons.nameko_connector.tools.client_actions import notification
from odoo.addons.nameko_connector.tools.job_request import JobRequest
from odoo.exceptions import AccessError, UserError

_logger = logging.getLogger(__name__)
LATER_ONLY = ("prime_count",)
PENDING_AT_ONCE = 10_000


class NamekoCompute(models.Model):
    _name = "nameko.compute"
    _inherit = ["nameko.compute", "nameko.job.mixin"]

    operation = fields.Selection(
        selection_add=[("prime_count", "Number of Primes")],
        ondelete={"prime_count": "set default"},
    )
    other = fields.Float(required=False)
    state = fields.Selection(
        selection_add=[("queued", "Queued"), ("done",), ("failed",)],
        ondelete={"queued": "set default"},
    )
    job_id = fields.Many2one(
        "nameko.job",
        readonly=True,
        copy=False,
        index="btree_not_null",
        ondelete="set null",
        help="The job whose answer becomes the result.",
    )
    progress = fields.Float(compute="_compute_progress")

    _other_required = models.Constraint(
        "CHECK (other IS NOT NULL OR operation = 'prime_count')",
        "This operation needs two operands.",
    )

    @api.depends("job_id.progress")
    @api.depends_context("uid", "allowed_company_ids")
    def _compute_progress(self) -> None:
        """Return a job's progress only to users who may read the job."""
        readable = self.job_id._filtered_access("read")
        for record in self:
            record.progress = record.job_id.progress if record.job_id in readable else 0

    @api.model
    def _fresh_values(self) -> dict[str, Any]:
        return {**super()._fresh_values(), "job_id": False}

    def action_compute_later(self) -> dict[str, Any] | None:
        """Enqueue a job for each computation; its result is written when the service answers."""
        self._check_pressed()
        todo = self - self._queued()
        jobs = todo.env["nameko.rpc"].delay_many(
            [record._job_request() for record in todo], name=self.env._("Compute Later")
        )
        todo.sudo().write({**self._fresh_values(), "state": "queued"})
        for record, job in zip(todo.sudo(), jobs, strict=True):
            record.job_id = job
        return None if len(self) == 1 else self._many_queued(len(todo), len(self - todo))

    def _queued(self) -> "NamekoCompute":
        """Return the computations whose jobs are not finished.

        A job may finish without updating its record, if its user may no longer read the record.
        """
        return self.filtered(
            lambda record: record.state == "queued" and record.sudo().job_id.state in LIVE
        )

    def _many_queued(self, count: int, skipped: int) -> dict[str, Any]:
        lines = [self.env._("%s queued.", count)]
        if skipped:
            lines.append(self.env._("%s skipped: they are queued already.", skipped))
        return notification("\n".join(lines), "warning" if skipped else "success", reload=True)

    def _not_now(self, *, sums_only: bool) -> list[tuple["NamekoCompute", str]]:
        """Refuse records that a job already computes, and operations that take too long."""
        queued = self._queued()
        too_long = self.filtered(lambda record: record.operation in LATER_ONLY)
        return [
            (queued, self.env._("A job already computes it. Wait for the job, or cancel it.")),
            (
                too_long,
                self.env._("Counting primes takes too long to wait for: press “Compute Later”."),
            ),
            *super()._not_now(sums_only=sums_only),
        ]

    def _job_request(self) -> JobRequest:
        callbacks = {"on_result": "_on_computed", "on_error": "_on_not_computed"}
        request = self._service(record=self, **callbacks).request
        if self.operation == "prime_count":
            return request.prime_count(self._operands()[0])
        return request.compute(self.operation, *self._operands(), self._mail_address())

    def _on_computed(self, result: Any) -> None:
        if not self._is_awaited():
            raise UserError(
                self.env._(
                    "The computation does not wait for this job any more: its operands have "
                    "changed, or another result has come."
                )
            )
        self._write_outcomes({self: self._number_or_error(result)})

    def _on_not_computed(self, error: NamekoError) -> None:
        if self._is_awaited():
            self._write_outcomes({self: error})

    def _is_awaited(self) -> bool:
        """Return whether this computation still waits for the job that calls back.

        It does not if its operands have changed, or another result was written, in the meantime.
        """
        return bool(self.job_id) and self.sudo().job_id.uuid == self.env.context["nameko_job"]

    def _abandon_result(self) -> None:
        """Cancel the jobs that were enqueued with the old operands."""
        jobs = self.job_id.filtered(lambda job: job.state in LIVE)
        if jobs:
            self.job_id = False
            jobs._set_cancelled(self.env._("The operands were changed."))

    @api.model
    def _cron_queue_drafts(self) -> None:
        """Enqueue each draft as a job of its creator; mark drafts as failed if that fails."""
        if not self.env.su:
            raise AccessError(self.env._("Only a scheduled action may do this."))
        drafts = self.search([("state", "=", "draft")], limit=PENDING_AT_ONCE, order="id")
        for (user, company), records in drafts.grouped(
            lambda record: (record.create_uid, record.company_id)
        ).items():
            theirs = records.with_user(user).with_company(company)
            if error := self.env["nameko.job"]._in_savepoint(theirs.action_compute_later):
                _logger.warning("The drafts of %s cannot be queued: %s", user.login, error)
                records.sudo().write({"state": "failed", "error": str(error)})
