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
    "nameko.batch": Model(read=OWNERS, written={"name": "x"}, created={"name": "x"}),
    "nameko.job.attempt": Model(read=OWNERS, written={"number": 2}, created={"job_id": 0}),
    "nameko.failure": Model(
        read=MAKER,
        write=MAKER,
        written={"is_ignored": True},
        created={"key": "x"},
    ),
    "nameko.job.count": Model(read=MANAGERS, written={"waiting": 1}, created={"service": "x"}),
    "nameko.job.minute": Model(
        written={"jobs": 1}, created={"service": "x", "state": "done", "jobs": 1}
    ),
    "nameko.job.retry": Model(
        MAKER,
        MAKER,
        MAKER,
        MAKER,
        {"named": "{}"},
        {"job_id": 0, "positional": "1", "named": "1"},
    ),
    "nameko.method.trial": Model(MAKER, MAKER, MANAGERS, MAKER, {"named": "{}"}, {"method_id": 0}),
    "nameko.dead.letter": Model(read=MAKER, written={"name": "x"}, created={"name": "x"}),
    "nameko.job.reschedule": Model(MAKER, MAKER, MANAGERS, MAKER, {"priority": 1}),
    "nameko.service": Model(
        read=MANAGERS, unlink=MANAGERS, written={"doc": "x"}, created={"name": "x"}
    ),
    "nameko.instance": Model(read=MANAGERS, written={"host": "x"}, created={"host": "x"}),
    "nameko.route": Model(read=MANAGERS, written={"away_since": False}, created={"service": "x"}),
    "nameko.method": Model(read=MANAGERS, written={"doc": "x"}, created={"name": "x"}),
    "nameko.policy": Model(
        USERS, MANAGERS, MANAGERS, MANAGERS, {"most_at_once": 5}, {"service": "other"}
    ),
    "nameko.policy.start": Model(written={"jobs": 1}, created={"policy_ref": 1, "jobs": 1}),
    "nameko.policy.pause": Model(MAKER, MAKER, MANAGERS, MAKER, {"reason": "x"}, {"service_id": 0}),
    "nameko.action.parameter": Model(
        MANAGERS, MANAGERS, MANAGERS, MANAGERS, {"value": "1"}, {"name": "more", "action_id": 0}
    ),
    "nameko.action.trial": Model(MAKER, MAKER, MANAGERS, MAKER, {}, {"action_id": 0}),
    "nameko.live.viewer": Model(
        written={"connection": "x"}, created={"connection": "x", "channel": "x"}
    ),
}
ABSTRACT = {
    "nameko.rpc",
    "nameko.job.mixin",
    "nameko.database",
    "nameko.live",
    "nameko.overview",
}  # they have no records, and nothing public of use

# Who may call a public method of the addon on the record: over JSON-RPC, JSON-2, or by a button.
METHODS = {
    ("nameko.compute", "action_suma"): OWNERS,
    ("nameko.compute", "action_compute"): OWNERS,
    ("nameko.compute", "action_compute_later"): OWNERS,
    ("nameko.compute", "action_nameko_jobs"): OWNERS,
    ("nameko.compute", "action_nameko_cancel"): OWNERS,
    ("nameko.batch", "action_cancel"): OWNERS,
    ("nameko.batch", "action_retry"): OWNERS,
    ("nameko.batch", "action_show_jobs"): OWNERS,
    ("nameko.batch", "my_running"): USERS,
    ("nameko.failure", "action_retry"): MAKER,
    ("nameko.failure", "action_cancel"): MAKER,
    ("nameko.failure", "action_ignore"): MAKER,
    ("nameko.failure", "action_stop_ignoring"): MAKER,
    ("nameko.failure", "action_show_jobs"): MAKER,
    ("nameko.overview", "read_overview"): MANAGERS,
    ("nameko.job", "action_cancel"): OWNERS,
    ("nameko.job", "action_retry"): OWNERS,
    ("nameko.job", "action_apply_again"): OWNERS,
    ("nameko.job", "action_open_record"): OWNERS,
    ("nameko.job.reschedule", "action_reschedule"): MAKER,
    ("nameko.job.retry", "action_retry"): MAKER,
    ("nameko.job.retry", "default_get"): MANAGERS,
    ("nameko.job.reschedule", "default_get"): MANAGERS,
    ("nameko.live", "watch"): USERS,
    ("nameko.service", "action_refresh_queue"): MANAGERS,
    ("nameko.service", "action_show_jobs"): MANAGERS,
    ("nameko.service", "action_show_policies"): MANAGERS,
    ("nameko.service", "action_pause"): MANAGERS,
    ("nameko.service", "action_resume"): MANAGERS,
    ("nameko.policy.pause", "action_pause"): MAKER,
    # Only for managers who are also administrators of Odoo: test_dead_letters.py.
    ("nameko.service", "action_dead_letters"): NOBODY,
    ("nameko.dead.letter", "action_look"): NOBODY,
    ("nameko.dead.letter", "web_search_read"): MANAGERS,  # who look at nothing by that
    ("nameko.dead.letter", "action_send_again"): NOBODY,
    ("nameko.dead.letter", "action_drop"): NOBODY,
    ("nameko.method", "action_try"): MANAGERS,
    ("nameko.method", "action_make_action"): MANAGERS,
    ("nameko.method.trial", "action_try"): MAKER,
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
    ("nameko.job.retry", "default_get"): (["job_id", "named"],),
    ("nameko.live", "watch"): ("nameko.job", [1]),
    ("nameko.dead.letter", "web_search_read"): ([], {"name": {}}),
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
    "cron_call_back_batches": NOBODY,
    "cron_keep_catalogue": NOBODY,
    "cron_compute_pending": NOBODY,
}
CONTROLLERS: set[str] = set()  # routes of the addon's own
