"""The catalogue: methods of the services that are, or were, running."""

from collections.abc import Sequence
from typing import Any

from odoo import api, fields, models


class NamekoMethod(models.Model):
    """Kept by the relay, from the events `beat` of the instances."""

    _name = "nameko.method"
    _description = "Method of a service"
    _order = "service, name"

    service = fields.Char(required=True, readonly=True)
    service_id = fields.Many2one(
        "nameko.service",
        "In the Catalogue",
        required=True,
        readonly=True,
        ondelete="cascade",
        index=True,
    )
    active = fields.Boolean(
        default=True, readonly=True, help="Not set: the service has this method no more."
    )
    name = fields.Char("Method", required=True, readonly=True)
    doc = fields.Text("Documentation", readonly=True)
    parameters = fields.Json(
        readonly=True, help="A list of {name, kind, annotation, default}, as Python's inspect says."
    )
    signature = fields.Char(compute="_compute_signature")

    _once = models.Constraint("UNIQUE (service, name)", "A method is in the catalogue once.")

    @api.depends("service", "name")
    def _compute_display_name(self) -> None:
        for method in self:
            method.display_name = f"{method.service}.{method.name}"

    @api.depends("parameters")
    def _compute_signature(self) -> None:
        for method in self:
            method.signature = f"({', '.join(map(_shown, method.parameters or []))})"

    @api.model
    def _learn(self, service: models.BaseModel, told: Sequence[dict[str, Any]]) -> None:
        """Write the methods of a service, as its newest instance tells them, where they differ.

        :param told: {"name", "doc", "parameters"} each
        """
        known = {m.name: m for m in service.with_context(active_test=False).method_ids}
        for values in told:
            method = known.pop(values["name"], None)
            if method is None:
                self.create({"service": service.name, "service_id": service.id, **values})
            elif method._differs(values):
                method.write({"active": True, **values})
        for method in known.values():
            if method.active:
                method.active = False

    def _differs(self, values: dict[str, Any]) -> bool:
        kept = (self.active, self.doc or "", self.parameters or [])
        return kept != (True, values["doc"], values["parameters"])


def _shown(parameter: dict[str, object]) -> str:
    stars = {"VAR_POSITIONAL": "*", "VAR_KEYWORD": "**"}.get(str(parameter["kind"]), "")
    annotation = f": {parameter['annotation']}" if "annotation" in parameter else ""
    default = f" = {parameter['default']!r}" if "default" in parameter else ""
    return f"{stars}{parameter['name']}{annotation}{default}"
