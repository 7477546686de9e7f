"""Pause and resume services, and show their policies."""

from typing import Any

from odoo import fields, models

from ...tools.client_actions import dialog


class NamekoService(models.Model):
    _inherit = "nameko.service"

    is_paused = fields.Boolean("Paused", compute="_compute_pause")
    pause_text = fields.Char(compute="_compute_pause")

    def _compute_pause(self) -> None:
        """Set whether the whole service is paused, and the reason."""
        policies = self.env["nameko.policy"].sudo()
        found = policies.search([("service", "in", self.mapped("name")), ("method", "=", False)])
        texts = {policy.service: policy._pause_text() for policy in found}
        for service in self:
            service.pause_text = texts.get(service.name, "")
            service.is_paused = bool(service.pause_text)

    def action_pause(self) -> dict[str, Any]:
        """Ask for the reason and the end of a pause."""
        self.ensure_one()
        pause = self.env["nameko.policy.pause"].create({"service_id": self.id})
        return dialog(pause, self.env._("Pause %s", self.name))

    def action_resume(self) -> None:
        """End the pause of this service."""
        self.ensure_one()
        self.env["nameko.policy"]._of_service(self.name)._resume()

    def action_show_policies(self) -> dict[str, Any]:
        """Show the policies of this service and its methods."""
        self.ensure_one()
        self.check_access("read")
        name = "nameko_connector.nameko_policy_action"
        action = self.env["ir.actions.act_window"]._for_xml_id(name)
        context = {"search_default_service": self.name, "default_service": self.name}
        return {**action, "context": context}
