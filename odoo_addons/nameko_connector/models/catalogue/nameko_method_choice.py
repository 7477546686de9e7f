"""Methods of the catalogue, for users who design server actions."""

from typing import Any

from odoo import models
from odoo.fields import Command, Domain

from ...action.signature import Signature
from .nameko_method import _shown

PASSED = {"POSITIONAL_ONLY": "positional", "POSITIONAL_OR_KEYWORD": "keyword",
          "KEYWORD_ONLY": "keyword"}  # fmt: skip


class NamekoMethod(models.Model):
    _inherit = "nameko.method"
    _rec_names_search = ["service", "name"]

    def _search_display_name(self, operator: str, value: Any) -> Any:
        """Find a method also by its full name, such as `pricing.quote`."""
        domain = Domain(super()._search_display_name(operator, value))
        service, dot, name = value.rpartition(".") if isinstance(value, str) else ("", "", "")
        if not dot or operator in Domain.NEGATIVE_OPERATORS:
            return domain
        return domain | (Domain("service", operator, service) & Domain("name", operator, name))

    def _offered_parameters(self) -> dict[str, str]:
        """Return how each parameter is passed, by its name."""
        return {
            each["name"]: PASSED[each["kind"]]
            for each in self.parameters or []
            if each["kind"] in PASSED
        }

    def _shown_parameter(self, name: str) -> str:
        """Return a parameter as the signature shows it, "" for one that is not in it."""
        named = (each for each in self.parameters or [] if each["name"] == name)
        return next(map(_shown, named), "")

    def _refusal(self, positional: list[str], by_name: list[str]) -> str:
        """Return why the method does not take these arguments, "" if it does.

        :param positional: one item for each positional argument; only their number counts
        :param by_name: the names of the others
        """
        signature = Signature(self.parameters or [], len(positional), by_name)
        return (
            self._refused_place(signature)
            or next(filter(None, (self._refused_name(signature, name) for name in by_name)), "")
            or next((self.env._("“%s” is missing", name) for name in signature.missing()), "")
        )

    def _refused_place(self, signature: Signature) -> str:
        if not signature.has_room():
            return self.env._(
                "it takes at most %(most)s arguments by position, not %(given)s",
                most=len(signature.places),
                given=signature.positional,
            )
        return ""

    def _refused_name(self, signature: Signature, name: str) -> str:
        if signature.is_positional_only(name):
            return self.env._("“%s” is positional only: pass it by position, without a name", name)
        if signature.is_given_twice(name):
            return self.env._("“%s” is passed by position and by name", name)
        if signature.is_unknown(name):
            return self.env._("the method has no parameter “%s”", name)
        return ""


def take_names(actions: models.BaseModel) -> None:
    """Set service and method from the catalogue's entry, if one is selected."""
    for action in actions:
        chosen = action.nameko_method_id
        action.nameko_service = chosen.service or action.nameko_service
        action.nameko_method = chosen.name or action.nameko_method


def offer_parameters(actions: models.BaseModel) -> None:
    """Add rows for the selected method's parameters; keep rows with a value."""
    for action in actions:
        rows = action.nameko_parameter_ids
        offered = action.nameko_method_id._offered_parameters()
        left = rows.filtered(lambda row: not row.value and row.name not in offered)  # noqa: B023
        new = {name: kind for name, kind in offered.items() if name not in rows.mapped("name")}
        names = list(offered)
        action.nameko_parameter_ids = [
            *(Command.unlink(row.id) for row in left if offered),
            *(
                Command.create({"name": name, "kind": kind, "sequence": names.index(name)})
                for name, kind in new.items()
            ),
        ]
