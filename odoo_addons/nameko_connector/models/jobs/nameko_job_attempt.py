"""Failed attempts of jobs. `job_store/monitoring/attempts.py` writes them."""

from odoo import api, fields, models


class NamekoJobAttempt(models.Model):
    _name = "nameko.job.attempt"
    _description = "Failed Attempt of a Job"
    _order = "id desc"
    _rec_name = "number"
    _log_access = False

    job_id = fields.Many2one(
        "nameko.job", required=True, readonly=True, index=True, ondelete="cascade"
    )
    number = fields.Integer(
        "Attempt", readonly=True, aggregator=None,
        help="Counted from the first time the job was sent; a retry goes on counting.",
    )  # fmt: skip
    sent_at = fields.Datetime(readonly=True)
    ended_at = fields.Datetime("Failed At", readonly=True)
    instance = fields.Char(
        readonly=True, help="The process that ran it, as host:process, if the service says so."
    )
    error_type = fields.Char(readonly=True)
    error_message = fields.Text(readonly=True)
    reason = fields.Text("Error", compute="_compute_reason")
    traceback = fields.Text(readonly=True, groups="nameko_connector.group_nameko_manager")

    @api.depends("error_type", "error_message")
    @api.depends_context("lang")
    def _compute_reason(self) -> None:
        """Set the error; if no service sent a message, a text in the user's language."""
        reasons = {
            "CallTimeout": self.env._("No answer came in time."),
            "UnknownService": self.env._("The message broker has no queue of this service."),
        }
        for attempt in self:
            reason = attempt.error_message or reasons.get(attempt.error_type or "")
            attempt.reason = reason or attempt.error_type
