"""Other ways to press the same button."""

import os

from nameko.standalone.rpc import ClusterRpcProxy

from odoo import models


class NamekoCompute(models.Model):
    _inherit = "nameko.compute"

    def action_nothing(self):
        """Cost what any button costs."""

    def action_seed(self):
        """Do as the articles do: a proxy for every record."""
        for record in self:
            with ClusterRpcProxy({"AMQP_URI": os.environ["AMQP_URI"]}) as rpc:
                record.result = rpc.compute.method(record.value, record.other)

    def action_write(self):
        """Write the same results with the ORM and nothing else."""
        for record in self:
            record.result = record.value + record.other
