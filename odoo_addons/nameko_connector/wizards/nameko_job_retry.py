"""A wizard in which managers retry a job with other arguments."""

import json
from typing import Any

from odoo import api, fields, models
from odoo.exceptions import UserError

from ..tools.job_request import JobRequest
from ..tools.texts import pretty
from .json_arguments import NAMED_HELP, POSITIONAL_HELP, parsed


class NamekoJobRetry(models.TransientModel):
    _name = "nameko.job.retry"
    _description = "Retry a Job with Other Arguments"

    job_id = fields.Many2one("nameko.job", required=True, ondelete="cascade")
    positional = fields.Text("Arguments by Position", required=True, help=POSITIONAL_HELP)
    named = fields.Text("Arguments by Name", required=True, help=NAMED_HELP)

    @api.model
    def default_get(self, fields: list[str]) -> dict[str, Any]:
        """Fill in the arguments that were sent."""
        self.browse().check_access("create")
        active_id = self.env.context.get("active_id")
        job = self.env["nameko.job"].browse(active_id if type(active_id) is int else None).exists()
        job.check_access("read")
        values: dict[str, Any] = {"job_id": job.id}
        if job:
            sent = json.loads(job.arguments)
            values |= {"positional": pretty(sent["args"]), "named": pretty(sent["kwargs"])}
        return {**values, **super().default_get(fields)}

    @api.constrains("job_id")
    def _check_job(self) -> None:
        """Raise AccessError if the user may not read the job."""
        self.sudo(False).job_id.check_access("read")

    def action_retry(self) -> dict[str, Any]:
        """Retry the job with these arguments."""
        self.ensure_one()
        self._check_target()
        body = self._body()
        mine, _skipped = self.job_id._locked_for_user()
        again = mine._to_allowed_services()._of_existing_records()
        if self.job_id.id not in again._set_pending_again().ids:
            text = self.env._(
                "The job cannot run again. Only a failed or cancelled job can, if its record still "
                "exists, its service may be called, and no other job has its identity key."
            )
            raise UserError(text)
        again.arguments = body
        done = self.job_id._counted(self.env._("1 job will run again."), [])
        done["params"]["next"] = {"type": "ir.actions.act_window_close"}
        return done

    def _check_target(self) -> None:
        """Raise AccessError if the manager may not write the job's record and result field.

        The result is written with the rights of the job's user, who may have more rights.
        """
        job = self.job_id
        if job.res_model in self.env:
            record = self.env[job.res_model].browse(job.res_id)
            record.check_access("write")
            if job.result_field:
                record._check_field_access(record._fields[job.result_field], "write")

    def _body(self) -> str:
        """Return the body of the request.

        :raises odoo.exceptions.UserError: the arguments are invalid; the message says why
        """
        job = self.job_id
        arguments, named = parsed(self, "positional", list), parsed(self, "named", dict)
        request = JobRequest(job.service, job.method, arguments, named)
        return self.env["nameko.rpc"]._encode_arguments(request)
