from odoo import fields, models


class QueueJobProbe(models.Model):
    _name = "queue.job.probe"
    _description = "Target of queue_job's jobs"

    number = fields.Integer()
    result = fields.Float()

    def add_one(self):
        self.result = self.number + 1
