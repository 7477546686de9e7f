"""A model for tests of jobs, whose records count their results and errors."""

import os
import signal
import time

from odoo import api, fields, models
from odoo.addons.nameko_connector import Again
from odoo.addons.nameko_connector.tools.job_request import JobOptions, JobRequest
from odoo.exceptions import UserError


class NamekoJobProbe(models.Model):
    _name = "nameko.job.probe"
    _description = "Target of jobs"
    _nameko_live = True

    number = fields.Integer()
    poison = fields.Char(help="What is wrong with its job, if anything.")
    result = fields.Float()
    text = fields.Text()
    hits = fields.Integer(help="How often a result came.")
    failures = fields.Integer(help="How often an error came.")
    error = fields.Text()
    is_refusing = fields.Boolean()
    seconds = fields.Float(help="How long a callback takes.")
    shared_id = fields.Many2one("nameko.job.probe", help="What a callback writes, too.")
    written_by_id = fields.Many2one("res.users")
    written_for_id = fields.Many2one("res.company")
    written_in = fields.Char()

    @api.model
    def make(self, count, first=0, service="probe", method="add"):
        """Create records, each with a job that adds 1 to its number; over HTTP, too."""
        records = self.create([{"number": first + number} for number in range(count)])
        self.env["nameko.rpc"].delay_many([r._request(service, method) for r in records])
        return records.ids

    @api.model
    def make_poison(self, kinds):
        """Create a record with a job for each {"poison", "service", "method", "options"}."""
        records = self.create([{"number": 0, "poison": kind["poison"]} for kind in kinds])
        self.env["nameko.rpc"].delay_many(
            [
                record._request(kind["service"], kind["method"], **kind["options"])
                for record, kind in zip(records, kinds, strict=True)
            ]
        )
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

    def _on_slow(self, result):
        time.sleep(self.seconds)
        self.hits += 1

    def _on_query(self, result):
        self.env.cr.execute("SELECT pg_sleep(%s)", [self.seconds])
        self.hits += 1

    def _on_deadly(self, result):
        """Exit the process that writes the result, as the kernel's out-of-memory killer does."""
        if self.is_refusing:
            os._exit(9)
        self.hits += 1

    def _on_freeze(self, result):
        """Freeze the process that writes the result, in the middle of its transaction."""
        self.hits += 1
        self.flush_recordset()
        if self.is_refusing:
            os.kill(os.getpid(), signal.SIGSTOP)

    def _on_shared(self, result):
        self.shared_id.number += 1
        self.hits += 1

    def _on_poll(self, result):
        """Create the same job again, with the same identity key, until it ran five times."""
        self.hits += 1
        if self.hits < 5:
            request = self._request("probe", "add", on_result="_on_poll", identity_key="poll")
            self.env["nameko.rpc"].delay_many([request])

    def _on_again(self, result):
        """Have the same job ask again, with the result, until it has come five times."""
        self.hits += 1
        self.result = result
        return Again(self.seconds, args=(result, 1)) if self.hits < 5 else None
