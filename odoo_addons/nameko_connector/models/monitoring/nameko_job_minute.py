"""Counts of ended jobs for the overview; see `job_store/monitoring/statistics.py`."""

from odoo import fields, models


class NamekoJobMinute(models.Model):
    _name = "nameko.job.minute"
    _description = "Jobs That Ended in a Minute"
    _log_access = False

    service = fields.Char(required=True)
    minute = fields.Datetime(required=True, index=True)
    state = fields.Char(required=True)
    waited = fields.Integer(help="The number of a bucket of times.")
    ran = fields.Integer(help="The number of a bucket of times.")
    jobs = fields.Integer(required=True)
    is_merged = fields.Boolean()

    _fresh_index = models.Index("(id) WHERE NOT is_merged")

    def init(self) -> None:
        """Let the sequence of ids restart after its maximum, as rows are replaced for years."""
        self.env.cr.execute("ALTER SEQUENCE nameko_job_minute_id_seq CYCLE")
