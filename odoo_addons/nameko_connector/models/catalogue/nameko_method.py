"""The catalogue: methods of the services that are, or were, running."""

import logging
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from odoo import api, fields, models

from ...tools.parameters import INSTANCE_DAYS

_logger = logging.getLogger(__name__)
MOST_METHODS = 10_000  # listed


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
        default=True, readonly=True, help="Not set: the service no longer has this method."
    )
    name = fields.Char("Method", required=True, readonly=True)
    doc = fields.Text("Documentation", readonly=True)
    parameters = fields.Json(
        readonly=True,
        help="A list of {name, kind, annotation, default}, in the terms of Python's module "
        "inspect.",
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
    def _learn(self, service: models.BaseModel, reported: Sequence[dict[str, Any]]) -> None:
        """Write the methods of a service that are new or changed in a beat.

        :param reported: a {"name", "doc", "parameters"} for each method
        """
        known = {m.name: m for m in service.with_context(active_test=False).method_ids}
        new = [values for values in reported if values["name"] not in known]
        owner = {"service": service.name, "service_id": service.id}
        self.create([owner | values for values in new[: self._room(len(new))]])
        for values in reported:
            method = known.get(values["name"])
            if method is not None and method._differs(values):
                method.write({"active": True, **values})

    @api.model
    def _room(self, wanted: int) -> int:
        """Return how many more methods can be listed; if full, delete services that do not run."""
        room = self._free_count() if wanted else 0
        if room < wanted and self.env["nameko.service"]._forget_some():
            room = self._free_count()
        if room < wanted:
            _logger.info("More than %s methods: some are not listed", MOST_METHODS)
        return room

    @api.model
    def _free_count(self) -> int:
        return max(MOST_METHODS - self.with_context(active_test=False).search_count([]), 0)

    def _set_active(self, names: set[str]) -> None:
        """Archive the methods without one of these names, and unarchive the others."""
        has_name = self.filtered(lambda method: method.name in names)
        (self - has_name).filtered("active").write({"active": False})
        has_name.filtered(lambda method: not method.active).write({"active": True})

    @api.autovacuum
    def _gc_archived(self) -> None:
        """Delete methods that no instance has had for long, unless an action uses them."""
        limit = fields.Datetime.now() - timedelta(days=INSTANCE_DAYS.value(self.env))
        old = self.search([("active", "=", False), ("write_date", "<", limit)])
        actions = self.env["ir.actions.server"].search([("nameko_method_id", "in", old.ids)])
        (old - actions.mapped("nameko_method_id")).unlink()

    def _described(self) -> list[dict[str, Any]]:
        """Return what beats have said of these methods."""
        return [
            {"name": each.name, "doc": each.doc or "", "parameters": each.parameters or []}
            for each in self
        ]

    def _differs(self, values: dict[str, Any]) -> bool:
        return (self.active, *self._described()) != (True, values)


def _shown(parameter: dict[str, object]) -> str:
    stars = {"VAR_POSITIONAL": "*", "VAR_KEYWORD": "**"}.get(str(parameter["kind"]), "")
    annotation = f": {parameter['annotation']}" if "annotation" in parameter else ""
    default = f" = {parameter['default']!r}" if "default" in parameter else ""
    return f"{stars}{parameter['name']}{annotation}{default}"
