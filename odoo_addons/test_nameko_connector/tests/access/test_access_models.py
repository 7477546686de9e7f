"""Who may read, write, create and delete what: each model of the addon, each group."""

from odoo.addons.nameko_compute.tests.common import ComputationCase
from odoo.addons.nameko_connector.tests.common import MANAGER, USER
from odoo.exceptions import AccessError
from odoo.service.model import get_public_method
from odoo.tests import tagged

STRANGERS = ("base.group_user", "base.group_portal", "base.group_public")
OPERATIONS = ("read", "write", "create", "unlink")
ALL, READ, NONE = frozenset(OPERATIONS), frozenset({"read"}), frozenset()
# What users and managers may do; nobody else may do anything.
RIGHTS = {
    "nameko.compute": (ALL, ALL),
    "nameko.job": (READ, READ),
    "nameko.batch": (READ, READ),
    "nameko.job.attempt": (READ, READ),
    "nameko.failure": (NONE, READ | {"write"}),
    "nameko.job.count": (NONE, READ),
    "nameko.job.minute": (NONE, NONE),
    "nameko.overview": (NONE, NONE),
    "nameko.job.retry": (NONE, ALL),
    "nameko.job.reschedule": (NONE, ALL),
    "nameko.service": (NONE, READ | {"unlink"}),
    "nameko.instance": (NONE, READ),
    "nameko.method": (NONE, READ),
    "nameko.action.parameter": (NONE, ALL),
    "nameko.action.trial": (NONE, ALL),
    "nameko.method.trial": (NONE, ALL),
    "nameko.dead.letter": (NONE, READ),
    "nameko.route": (NONE, READ),
    "nameko.policy": (READ, ALL),
    "nameko.policy.start": (NONE, NONE),
    "nameko.policy.pause": (NONE, ALL),
    "nameko.rpc": (NONE, NONE),
    "nameko.job.mixin": (NONE, NONE),
    "nameko.database": (NONE, NONE),
    "nameko.live": (NONE, NONE),
    "nameko.live.viewer": (NONE, NONE),
}
# What only the server may call: whoever could call it over the web would get round the rights.
PRIVATE = {
    "nameko.rpc": (
        "call", "call_many", "delay", "delay_many", "chain", "service", "_check_allowed",
    ),
    "nameko.job": (
        "get_result", "apply_replies", "fail_reply", "_set_cancelled", "_set_pending_again",
        "_reschedule", "_wake", "_cron_move_jobs",
    ),
    "nameko.database": (
        "database_identity", "ask_administrators", "_answer_moved", "_answer_copy", "_ask_again",
        "_check_may_send",
    ),
    "nameko.failure": ("_group_new", "_count", "_remind"),
    "nameko.overview": ("_lights", "_services"),
    "nameko.route": ("is_known",),
    "nameko.policy": ("_pause", "_resume", "_held", "_defaults", "_note_changed"),
    "nameko.live": (
        "_models", "_key", "_channels_of", "_note", "_send", "_send_sign_of_life", "_forget_old",
    ),
    "nameko.live.viewer": ("_note", "_listened"),
    "nameko.instance": ("keep", "_learn", "_note_seen", "_cron_keep", "_gc_gone"),
    "nameko.service": ("_tell_gone", "_tell_back"),
    "nameko.method": ("_learn",),
    "res.config.settings": ("_test_nameko_connection", "_nameko_services"),
}  # fmt: skip


@tagged("post_install", "-at_install")
class TestModelAccess(ComputationCase):
    def rights(self, model, user):
        records = self.env[model].with_user(user)
        return {operation for operation in OPERATIONS if records.has_access(operation)}

    def test_every_model_is_in_the_table(self):
        models = self.env["ir.model"].search([("model", "=like", "nameko.%")]).mapped("model")
        ours = {model for model in models if "test" not in self.env[model]._original_module}
        self.assertEqual(ours, set(RIGHTS))

    def test_users_and_managers(self):
        user, manager = self.new_user("user", USER), self.new_user("manager", MANAGER)
        for model, (of_user, of_manager) in RIGHTS.items():
            with self.subTest(model=model):
                self.assertEqual(self.rights(model, user), of_user)
                self.assertEqual(self.rights(model, manager), of_manager)

    def test_nobody_else(self):
        for group in STRANGERS:
            stranger = self.new_user(group.replace(".", "_"), group)
            for model in RIGHTS:
                with self.subTest(model=model, group=group):
                    self.assertEqual(self.rights(model, stranger), NONE)

    def test_administrators_of_odoo_are_no_managers_by_that(self):
        administrator = self.new_user("administrator", "base.group_system")
        for model in RIGHTS:
            self.assertEqual(self.rights(model, administrator), NONE, model)

    def test_methods_that_get_round_the_rights_are_not_for_the_web(self):
        for model, names in PRIVATE.items():
            for name in names:
                self.assertTrue(hasattr(self.env[model], name), f"{model}.{name}")
                with self.subTest(method=f"{model}.{name}"), self.assertRaises(AccessError):
                    get_public_method(self.env[model], name)
