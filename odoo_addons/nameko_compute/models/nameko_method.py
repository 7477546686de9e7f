"""The catalogue: methods of the services that are, or were, running."""

from odoo import api, fields, models


class NamekoMethod(models.Model):
    """Kept by the relay, from the events `beat` of the instances."""

    _name = "nameko.method"
    _description = "Method of a service"
    _order = "service, name"

    service = fields.Char(required=True, readonly=True)
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


def _shown(parameter: dict[str, object]) -> str:
    stars = {"VAR_POSITIONAL": "*", "VAR_KEYWORD": "**"}.get(str(parameter["kind"]), "")
    annotation = f": {parameter['annotation']}" if "annotation" in parameter else ""
    default = f" = {parameter['default']!r}" if "default" in parameter else ""
    return f"{stars}{parameter['name']}{annotation}{default}"
