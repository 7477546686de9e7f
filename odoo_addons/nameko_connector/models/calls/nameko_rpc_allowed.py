"""Which services may be called: all, or those that the settings name."""

from functools import lru_cache

from odoo import api, models

from ...exceptions import ServiceNotAllowed
from ...tools.parameters import ALLOWED_SERVICES


class NamekoRpc(models.AbstractModel):
    _inherit = "nameko.rpc"

    @api.model
    def _check_allowed(self, *services: str) -> None:
        """Check that all of these services may be called.

        :raises exceptions.ServiceNotAllowed: one of them may not be called
        """
        text = allowed_services(self.env)
        allowed = service_names(text)
        for service in services if allowed or text.strip() else ():  # "," allows none
            if service not in allowed:
                raise ServiceNotAllowed(
                    self.env._(
                        "The service “%(service)s” may not be called from here: it is not among "
                        "the services that the settings of Nameko allow. Ask your administrator.",
                        service=service,
                    )
                )


def allowed_services(env: api.Environment) -> str:
    """Return the setting as it was entered: names with commas, "" for all services."""
    return env["ir.config_parameter"].sudo().get_param(ALLOWED_SERVICES) or ""


@lru_cache
def service_names(text: str) -> frozenset[str]:
    """Return the names in a list with commas."""
    return frozenset(filter(None, (name.strip() for name in text.split(","))))
