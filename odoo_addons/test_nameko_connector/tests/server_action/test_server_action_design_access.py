"""Who may design server actions that call a service."""

from odoo.addons.nameko_connector.tests.common import MANAGER, USER
from odoo.addons.nameko_connector.tests.server_action.action_case import CONTACTS, ActionCase
from odoo.exceptions import AccessError
from odoo.tests import tagged

OTHER_KINDS = ("code", "object_write", "object_create", "object_copy", "webhook", "multi")
LESSER = ("base.group_user", "base.group_portal", "base.group_public", USER)


@tagged("post_install", "-at_install")
class TestDesignAccess(ActionCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.manager = cls.new_user("action_manager", MANAGER, *CONTACTS)

    def setUp(self):
        super().setUp()
        self.action = self.new_action(env=self.env(user=self.manager))
        self.code = self.env["ir.actions.server"].create(
            {"name": "Code", "model_id": self.partner_model.id, "state": "code", "code": "1"}
        )

    def refused(self, attempt, *args, **kwargs):
        with self.assertRaises(AccessError), self.env.cr.savepoint():
            attempt(*args, **kwargs)
            self.env.flush_all()

    def test_manager_designs(self):
        self.action.nameko_parameter_ids.value = "record.ref"
        self.action.write({"nameko_result_path": "total"})
        self.action.create_action()
        self.assertEqual(self.action.binding_model_id, self.partner_model)
        self.action.unlink_action()
        copy = self.action.copy()
        self.assertEqual(copy.nameko_parameter_ids.value, "record.ref")
        copy.unlink()
        self.assertFalse(copy.exists())

    def test_a_row_that_is_taken_away_makes_its_taker_the_designer(self):
        administrators = self.new_action()
        self.assertFalse(administrators.nameko_designer_id)
        row = administrators.nameko_parameter_ids.with_user(self.manager)
        row.write(
            {
                "action_id": self.new_action(
                    env=self.env(user=self.manager), nameko_parameter_ids=False
                ).id
            }
        )
        self.assertEqual(administrators.nameko_designer_id, self.manager)

    def test_manager_shows_it_in_no_other_menu(self):
        """Odoo reads these where it lists a model's actions: they would break its views for all."""
        own = self.env["ir.model"]._get_id("res.partner")
        company = self.env["ir.model"]._get_id("res.company")
        for values in (
            {"type": "ir.actions.client", "binding_model_id": own},
            {"type": "zzz"},
            {"binding_type": "report", "binding_model_id": own},
            {"binding_model_id": company},
        ):
            self.refused(self.action.write, values)
            self.refused(self.new_action, env=self.env(user=self.manager), **values)
        self.env["res.partner"].get_views([(False, "list")], {"toolbar": True})

    def test_manager_reads_the_form_and_the_list(self):
        actions = self.env["ir.actions.server"].with_user(self.manager)
        form = self.env.ref("nameko_connector.nameko_action_view_form")
        names = actions.get_views([(form.id, "form")])["models"]["ir.actions.server"]["fields"]
        self.assertIn("nameko_parameter_ids", names)
        shown = {name: {} for name in names}
        self.assertEqual(self.action.web_read(shown)[0]["nameko_service"], "pricing")

    def test_others_see_and_touch_nothing(self):
        for group in LESSER:
            user = self.new_user(f"lesser_{group}", group)
            action = self.action.with_user(user)
            self.refused(self.new_action, env=self.env(user=user))
            self.refused(action.read, ["name"])
            self.refused(action.write, {"nameko_service": "other"})
            self.refused(action.unlink)
            self.refused(action.create_action)
            self.refused(action.action_nameko_try)
            row = self.action.nameko_parameter_ids.with_user(user)
            self.refused(row.read, ["value"])
            self.refused(row.write, {"value": "1"})
            self.refused(row.unlink)
            self.refused(row.create, {"action_id": action.id, "name": "more"})
            self.refused(self.env["nameko.action.trial"].with_user(user).create, {
                "action_id": action.id})  # fmt: skip

    def test_manager_has_this_kind_only(self):
        actions = self.env["ir.actions.server"].with_user(self.manager)
        self.assertNotIn(self.code, actions.search([]))
        self.refused(self.code.with_user(self.manager).read, ["name"])
        self.refused(self.code.with_user(self.manager).write, {"name": "Mine"})
        self.refused(self.code.with_user(self.manager).write, {"state": "nameko"})
        self.refused(self.code.with_user(self.manager).unlink)
        for kind in OTHER_KINDS:
            self.refused(self.new_action, env=actions.env, state=kind)
            self.refused(self.action.write, {"state": kind})
        self.refused(self.action.write, {"code": "env.cr"})
        self.refused(self.action.write, {"state": "code", "code": "env.cr"})

    def test_manager_puts_nothing_into_what_others_run(self):
        multi = self.env["ir.actions.server"].create(
            {"name": "Many", "model_id": self.partner_model.id, "state": "multi"}
        )
        self.refused(self.action.write, {"parent_id": multi.id})
        self.refused(self.action.write, {"child_ids": [(4, self.code.id)]})
        self.refused(self.action.write, {"child_ids": [(0, 0, {"name": "More", "state": "code"})]})
        self.refused(self.new_action, env=self.action.env, parent_id=multi.id)
        self.env["ir.cron"].create(
            {"ir_actions_server_id": self.action.id, "nameko_by_domain": True}
        )
        self.refused(self.action.write, {"nameko_service": "other"})
        self.refused(self.action.unlink)

    def test_manager_has_no_way_to_the_rows_of_other_kinds(self):
        rows = self.env["nameko.action.parameter"]
        row = rows.create({"action_id": self.code.id, "name": "lost"}).with_user(self.manager)
        self.refused(row.read, ["value"])
        self.refused(row.write, {"value": "1"})
        self.refused(row.create, {"action_id": self.code.id, "name": "more"})

    def test_administrator_who_is_no_manager_designs_other_kinds(self):
        administrator = self.new_user("action_admin", "base.group_system")
        actions = self.env["ir.actions.server"].with_user(administrator)
        self.refused(self.new_action, env=actions.env)
        self.refused(self.action.with_user(administrator).write, {"name": "Mine"})
        code = self.code.with_user(administrator)
        code.name = "Mine"
        self.assertNotIn("nameko", code.allowed_states)
        values = self.action_values({})
        self.refused(code.write, values)

    def test_administrator_who_is_a_manager_has_all(self):
        both = self.new_user("action_both", "base.group_system", MANAGER)
        self.code.with_user(both).name = "Mine"
        self.action.with_user(both).name = "Mine"
        self.assertIn("nameko", self.code.with_user(both).allowed_states)

    def test_manager_changes_no_parameter_of_what_others_run(self):
        multi = self.env["ir.actions.server"].create(
            {"name": "Many", "model_id": self.partner_model.id, "state": "multi"}
        )
        part, scheduled = self.new_action(parent_id=multi.id), self.new_action()
        self.env["ir.cron"].create({"ir_actions_server_id": scheduled.id, "nameko_by_domain": True})
        mine = self.action.nameko_parameter_ids.with_user(self.manager)
        for theirs in (part, scheduled):
            row = theirs.nameko_parameter_ids.with_user(self.manager)
            self.refused(row.write, {"value": "user.login"})
            self.refused(row.write, {"action_id": self.action.id})
            self.refused(row.unlink)
            self.refused(row.copy, {"name": "more"})
            self.refused(row.create, {"action_id": theirs.id, "name": "more"})
            self.refused(mine.write, {"action_id": theirs.id, "name": "moved"})
        mine.value = "record.ref"
        mine.create({"action_id": self.action.id, "name": "more"}).unlink()

    def test_managers_let_no_outsiders_run_actions(self):
        outsiders = self.env["res.groups"].create({"name": "Customers"})
        for group in (self.env.ref("base.group_portal"), outsiders):
            self.refused(self.action.write, {"group_ids": [(4, group.id)]})
            self.refused(self.new_action, env=self.action.env, group_ids=group.ids)
        self.action.group_ids = self.env.ref("base.group_user")
        self.action.sudo().group_ids = outsiders  # as an administrator may
        self.refused(self.action.write, {"nameko_service": "other"})
