"""The uninstall hook of the addon."""

import logging

from odoo import api

from .broker.amqp.config import InvalidBrokerConfig
from .tools.configuration import broker_config
from .tools.parameters import PREFIX

_logger = logging.getLogger(__name__)
MAIL_MODELS = ("mail.message", "mail.followers", "mail.activity")


def uninstall_hook(env: api.Environment) -> None:
    """Delete what Odoo does not delete itself: queues, system parameters, messages, activities.

    The queues are deleted after the commit. Stop the relays first: a running relay declares its
    queues again.
    """
    names = _queues(env)
    if names:
        env.cr.postcommit.add(lambda: _delete_queues(names))
    parameters = env["ir.config_parameter"].sudo()
    parameters.search([("key", "=like", f"{PREFIX}%")]).unlink()
    for model in MAIL_MODELS:
        name = "res_model" if "res_model" in env[model]._fields else "model"
        env[model].sudo().search([(name, "=like", "nameko.%")]).unlink()
    env["nameko.database"]._activities().unlink()  # which belong to no record


def _queues(env: api.Environment) -> list[str]:
    """Return the queues of this database; none for a copy, as they belong to the original."""
    from .broker.jobs.queues import queues  # noqa: PLC0415  loads amqp

    database = env["nameko.database"]
    identity, _, place = database._stored_identity().partition("@")
    return queues(identity) if identity and place == database._place() else []


def _delete_queues(names: list[str]) -> None:
    from .broker.amqp.connecting import BROKER_LOST  # noqa: PLC0415
    from .broker.amqp.errors import RpcError  # noqa: PLC0415  as the next
    from .broker.jobs.queues import delete_queues  # noqa: PLC0415  loads amqp

    try:
        delete_queues(broker_config(), names)
    except (InvalidBrokerConfig, RpcError, *BROKER_LOST) as error:
        _logger.warning(
            "Nameko is uninstalled, but its queues could not be deleted: %s Delete them on the "
            "broker, as with rabbitmqctl delete_queue: %s",
            error,
            ", ".join(names),
        )
