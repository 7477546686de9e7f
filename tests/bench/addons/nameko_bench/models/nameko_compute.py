"""Buttons with which the benchmark compares the button of the addon."""

import os

from nameko.standalone.rpc import ClusterRpcProxy

from odoo import models


class NamekoCompute(models.Model):
    _inherit = "nameko.compute"

    def action_nothing(self):
        """Do nothing, to measure the time of any button."""

    def action_seed(self):
        """Compute as the articles do: with a new proxy for each record."""
        for record in self:
            with ClusterRpcProxy({"AMQP_URI": os.environ["AMQP_URI"]}) as rpc:
                record.result = rpc.compute.method(record.value, record.other)

    def action_write(self):
        """Write the same results with the ORM and nothing else."""
        for record in self:
            record.result = record.value + record.other
