"""A record that counts what is done to it."""

from odoo import api, fields, models
from odoo.addons.nameko_compute.job_request import JobOptions, JobRequest
from odoo.exceptions import UserError


class NamekoJobProbe(models.Model):
    _name = "nameko.job.probe"
    _description = "Target of jobs"

    number = fields.Integer()
    result = fields.Float()
    text = fields.Text()
    hits = fields.Integer(help="How often a result came.")
    failures = fields.Integer(help="How often an error came.")
    error = fields.Text()
    is_refusing = fields.Boolean()
    written_by_id = fields.Many2one("res.users")
    written_for_id = fields.Many2one("res.company")
    written_in = fields.Char()

    @api.model
    def make(self, count, first=0, service="probe", method="add"):
        """Create records, each with a job that adds 1 to its number; over HTTP, too."""
        records = self.create([{"number": first + number} for number in range(count)])
        self.env["nameko.rpc"].delay_many([r._request(service, method) for r in records])
        return records.ids

    def _request(self, service, method, **options):
        options = {"on_result": "_on_sum", "on_error": "_on_failure", **options}
        return JobRequest(service, method, (self.number, 1), {}, JobOptions(record=self, **options))

    def _on_sum(self, result):
        if self.is_refusing:
            raise UserError("This record takes no results.")
        self.result = result
        self.hits += 1
        self.written_by_id = self.env.user
        self.written_for_id = self.env.company
        self.written_in = self.env.lang

    def _on_text(self, result):
        self.text = str(len(result))
        self.hits += 1

    def _on_failure(self, error):
        self.failures += 1
        self.error = f"{type(error).__name__}: {error}"
