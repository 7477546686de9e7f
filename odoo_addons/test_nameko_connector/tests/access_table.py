"""What each may do with the addon: the one table that test_access_everything.py holds it to."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

PUBLIC, PORTAL, INTERNAL = "public", "portal", "internal"  # without a group of Nameko's
USER = "user"  # of Nameko, to whom nothing here belongs
OWNER = "owner"  # a user to whom the computation and its job belong
MANAGER = "manager"  # of the same company, who made the wizards
STRANGER = "stranger"  # a manager of another company
ROLES = (PUBLIC, PORTAL, INTERNAL, USER, OWNER, MANAGER, STRANGER)

NOBODY: frozenset[str] = frozenset()
EVERYBODY = frozenset(ROLES)
MAKER = frozenset({MANAGER})
MANAGERS = frozenset({MANAGER, STRANGER})
OWNERS = frozenset({OWNER, MANAGER})
USERS = frozenset({USER, OWNER, MANAGER, STRANGER})


@dataclass(frozen=True)
class Model:
    """Who may do what with a record of a model, and the values with which it is tried."""

    read: frozenset[str] = NOBODY
    write: frozenset[str] = NOBODY
    create: frozenset[str] = NOBODY
    unlink: frozenset[str] = NOBODY
    written: Mapping[str, Any] = field(default_factory=dict)
    created: Mapping[str, Any] = field(default_factory=dict)


MODELS = {
    "nameko.compute": Model(
        OWNERS, OWNERS, USERS, OWNERS, {"name": "Mine"}, {"value": 1, "other": 2}
    ),
    "nameko.job": Model(read=OWNERS, written={"priority": 1}, created={"service": "compute"}),
    "nameko.job.reschedule": Model(MAKER, MAKER, MANAGERS, MAKER, {"priority": 1}),
    "nameko.service": Model(
        read=MANAGERS, unlink=MANAGERS, written={"doc": "x"}, created={"name": "x"}
    ),
    "nameko.instance": Model(read=MANAGERS, written={"host": "x"}, created={"host": "x"}),
    "nameko.route": Model(read=MANAGERS, written={"away_since": False}, created={"service": "x"}),
    "nameko.method": Model(read=MANAGERS, written={"doc": "x"}, created={"name": "x"}),
    "nameko.action.parameter": Model(
        MANAGERS, MANAGERS, MANAGERS, MANAGERS, {"value": "1"}, {"name": "more", "action_id": 0}
    ),
    "nameko.action.trial": Model(MAKER, MAKER, MANAGERS, MAKER, {}, {"action_id": 0}),
    "nameko.live.viewer": Model(written={"session": "x"}, created={"session": "x"}),
}
ABSTRACT = {
    "nameko.rpc",
    "nameko.job.mixin",
    "nameko.database",
    "nameko.live",
}  # they have no records, and nothing public of use

# Who may call a public method of the addon on the record: over JSON-RPC, JSON-2, or by a button.
METHODS = {
    ("nameko.compute", "action_suma"): OWNERS,
    ("nameko.compute", "action_compute"): OWNERS,
    ("nameko.compute", "action_compute_later"): OWNERS,
    ("nameko.compute", "action_nameko_jobs"): OWNERS,
    ("nameko.job", "action_cancel"): OWNERS,
    ("nameko.job", "action_retry"): OWNERS,
    ("nameko.job", "action_apply_again"): OWNERS,
    ("nameko.job", "action_open_record"): OWNERS,
    ("nameko.job.reschedule", "action_reschedule"): MAKER,
    ("nameko.job.reschedule", "default_get"): MANAGERS,
    ("nameko.live", "watch"): USERS,
    ("nameko.service", "action_refresh_queue"): MANAGERS,
    ("nameko.action.trial", "action_try"): MAKER,
    ("ir.actions.server", "action_nameko_try"): MANAGERS,
    ("ir.actions.server", "copy_data"): MANAGERS,
    ("ir.actions.server", "run"): USERS,  # Odoo's own, without a record, on computations
    ("ir.cron", "action_nameko_try"): NOBODY,
    ("res.config.settings", "action_nameko_copy"): NOBODY,
    ("res.config.settings", "action_nameko_moved"): NOBODY,
    ("res.config.settings", "action_nameko_test_connection"): NOBODY,
}
# Arguments of those that need some; the others are called without.
ARGUMENTS: dict[tuple[str, str], tuple[Any, ...]] = {
    ("nameko.job.reschedule", "default_get"): (["job_ids", "priority"],),
    ("nameko.live", "watch"): ("nameko.job", [1]),
}
# Overrides of methods that Odoo has: who may call them says MODELS, or the rights on Odoo's model.
OVERRIDES = {"create", "write", "unlink", "session_info"}
# The methods of Odoo's own behind buttons in the addon's views.
BUTTONS_OF_ODOO = {
    ("ir.actions.server", "create_action"),
    ("ir.actions.server", "unlink_action"),
    ("ir.actions.server", "run"),
}
# Who may run the addon's server actions, on the owner's record, from the menu of a list.
SERVER_ACTIONS = {
    "nameko_compute_server_action_suma": OWNERS,
    "nameko_compute_server_action_compute": OWNERS,
    "nameko_compute_server_action_later": OWNERS,
    "nameko_job_server_action_retry": OWNERS,
    "nameko_job_server_action_apply": OWNERS,
}
# Scheduled actions: the same, though nobody has a button for them.
SCHEDULED_ACTIONS = {
    "cron_move_jobs": NOBODY,
    "cron_keep_catalogue": NOBODY,
    "cron_compute_pending": NOBODY,
}
CONTROLLERS: set[str] = set()  # routes of the addon's own
