"""What Odoo calls when the addon is uninstalled."""

import logging

from odoo import api

from .broker.config import InvalidBrokerConfig
from .configuration import broker_config
from .parameters import PREFIX

_logger = logging.getLogger(__name__)
MAIL_MODELS = ("mail.message", "mail.followers", "mail.activity")


def uninstall_hook(env: api.Environment) -> None:
    """Leave nothing behind that Odoo does not delete itself.

    The queues go once the uninstallation is committed. Relays are to be stopped before: a relay
    declares its queues again.
    """
    names = _queues(env)
    if names:
        env.cr.postcommit.add(lambda: _delete_queues(names))
    parameters = env["ir.config_parameter"].sudo()
    parameters.search([("key", "=like", f"{PREFIX}%")]).unlink()
    for model in MAIL_MODELS:
        name = "res_model" if "res_model" in env[model]._fields else "model"
        env[model].sudo().search([(name, "=like", "nameko.%")]).unlink()
    env["nameko.job"]._activities().unlink()  # of no record


def _queues(env: api.Environment) -> list[str]:
    """Return the queues of this database; of a copy none, for they are the original's."""
    from .broker.jobs_queues import queues  # noqa: PLC0415  loads amqp

    jobs = env["nameko.job"]
    identity, _, place = jobs._stored_identity().partition("@")
    return queues(identity) if identity and place == jobs._place() else []


def _delete_queues(names: list[str]) -> None:
    from .broker.errors import RpcError  # noqa: PLC0415  as the next
    from .broker.jobs_queues import delete_queues  # noqa: PLC0415  loads amqp
    from .broker.wire import LOST  # noqa: PLC0415

    try:
        delete_queues(broker_config(), names)
    except (InvalidBrokerConfig, RpcError, *LOST) as error:
        _logger.warning(
            "Nameko is uninstalled, but its queues could not be deleted: %s Delete them on the "
            "broker, as with rabbitmqctl delete_queue: %s",
            error,
            ", ".join(names),
        )
