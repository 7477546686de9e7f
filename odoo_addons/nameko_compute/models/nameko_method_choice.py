"""Methods of the catalogue, as those need them who design server actions."""

import inspect
from typing import Any

from odoo import models
from odoo.fields import Domain

from .nameko_method import _shown

PASSED = {"POSITIONAL_ONLY": "positional", "POSITIONAL_OR_KEYWORD": "keyword",
          "KEYWORD_ONLY": "keyword"}  # fmt: skip


class NamekoMethod(models.Model):
    _inherit = "nameko.method"
    _rec_names_search = ["service", "name"]

    def _search_display_name(self, operator: str, value: Any) -> Any:
        """Find `pricing.quote` too, as it is shown, and not by its parts alone."""
        domain = Domain(super()._search_display_name(operator, value))
        service, dot, name = value.rpartition(".") if isinstance(value, str) else ("", "", "")
        if not dot or operator in Domain.NEGATIVE_OPERATORS:
            return domain
        return domain | (Domain("service", operator, service) & Domain("name", operator, name))

    def _offered_parameters(self) -> dict[str, str]:
        """Give the names of the parameters, each with how it is passed in the table."""
        return {
            each["name"]: PASSED[each["kind"]]
            for each in self.parameters or []
            if each["kind"] in PASSED
        }

    def _shown_parameter(self, name: str) -> str:
        """Give a parameter as the signature shows it, "" for one that is not in it."""
        named = (each for each in self.parameters or [] if each["name"] == name)
        return next(map(_shown, named), "")

    def _refusal(self, positional: list[str], by_name: list[str]) -> str:
        """Say why the method does not take such arguments, "" where it does.

        :param positional: anything for each argument without a name
        :param by_name: the names of the others
        """
        try:
            self._inspected().bind(*positional, **dict.fromkeys(by_name))
        except TypeError as error:
            return str(error)
        return ""

    def _inspected(self) -> inspect.Signature:
        return inspect.Signature([_inspected(each) for each in self.parameters or []])


def _inspected(parameter: dict[str, Any]) -> inspect.Parameter:
    kind = getattr(inspect.Parameter, parameter["kind"])
    default = parameter.get("default", inspect.Parameter.empty)
    return inspect.Parameter(parameter["name"], kind, default=default)
