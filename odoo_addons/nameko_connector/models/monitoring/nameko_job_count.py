"""Counts of unfinished jobs for the overview; see `job_store/monitoring/statistics.py`."""

from odoo import fields, models


class NamekoJobCount(models.Model):
    _name = "nameko.job.count"
    _description = "Jobs of a Service That Have Not Ended"
    _nameko_live = True
    _log_access = False

    service = fields.Char(required=True, help="Empty in the row that counts all.")
    waiting = fields.Integer(readonly=True)
    later = fields.Integer(readonly=True, help="They wait for their time, or for other jobs.")
    running = fields.Integer(readonly=True)
    oldest_at = fields.Datetime(readonly=True, help="When the oldest waiting job became ready.")
    seen = fields.Integer(readonly=True, help="The newest row of jobs that have ended.")
    counted_at = fields.Datetime(readonly=True)

    _once = models.UniqueIndex("(service)")

    def init(self) -> None:
        """Let the sequence of ids restart after its maximum, as rows are replaced for years."""
        self.env.cr.execute("ALTER SEQUENCE nameko_job_count_id_seq CYCLE")
