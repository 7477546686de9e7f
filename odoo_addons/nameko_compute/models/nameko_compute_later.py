"""Computations whose results come later, as jobs."""

from typing import Any

from odoo import api, fields, models
from odoo.exceptions import UserError

from ..exceptions import NamekoError
from ..job_request import JobOptions, JobRequest

LATER_ONLY = ("prime_count",)
PENDING_AT_ONCE = 10_000


class NamekoCompute(models.Model):
    _name = "nameko.compute"
    _inherit = ["nameko.compute", "nameko.job.mixin"]

    operation = fields.Selection(
        selection_add=[("prime_count", "Number of Primes")],
        ondelete={"prime_count": "set default"},
    )
    state = fields.Selection(
        selection_add=[("queued", "Queued"), ("done",), ("failed",)],
        ondelete={"queued": "set default"},
    )
    job_id = fields.Many2one(
        "nameko.job", readonly=True, copy=False, index="btree_not_null", ondelete="set null"
    )
    progress = fields.Float(related="job_id.progress", related_sudo=True)

    def action_compute_later(self) -> None:
        """Queue the computations; their results are written when the service has answered."""
        todo = self.filtered(lambda record: record.state != "queued")
        todo.check_access("write")
        jobs = todo.env["nameko.rpc"].delay_many([record._job_request() for record in todo])
        for record, job in zip(todo, jobs, strict=True):
            record.job_id = job
        todo.write({"state": "queued", "error": False, "result": 0})

    def action_compute(self) -> dict[str, Any] | None:
        """Refuse what takes too long to wait for."""
        self._refuse_later_only()
        return super().action_compute()

    def _refuse_later_only(self) -> None:
        if any(record.operation in LATER_ONLY for record in self):
            raise UserError(
                self.env._("Counting primes takes too long to wait for: press “Compute Later”.")
            )

    def _job_request(self) -> JobRequest:
        options = JobOptions(record=self, on_result="_on_computed", on_error="_on_not_computed")
        if self.operation == "prime_count":
            limit = self._operands()[0]
            return JobRequest("compute", "prime_count", (limit,), {}, options)
        arguments = (self.operation, *self._operands(), self._mail_address())
        return JobRequest("compute", "compute", arguments, {}, options)

    def _on_computed(self, result: Any) -> None:
        if self.state == "queued":
            self._write_outcomes({self: self._number_or_error(result)})

    def _on_not_computed(self, error: NamekoError) -> None:
        if self.state == "queued":
            self._write_outcomes({self: error})

    @api.model
    def _cron_compute_pending(self) -> None:
        """Queue the drafts, each as a job of whoever made it."""
        drafts = self.search([("state", "=", "draft")], limit=PENDING_AT_ONCE, order="id")
        for (user, company), records in drafts.grouped(
            lambda r: (r.create_uid, r.company_id)
        ).items():
            records.with_user(user).with_company(company).action_compute_later()
