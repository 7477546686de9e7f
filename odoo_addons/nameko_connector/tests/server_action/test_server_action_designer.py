"""An action can do only what the manager who designed it can, no matter who runs it."""

from odoo.exceptions import AccessError
from odoo.tests import tagged

from ...broker.amqp.request import Request
from ...testing import answered_calls
from ..common import MANAGER
from .action_case import CONTACTS, ActionCase

ADMINISTRATOR = "base.group_system"


@tagged("post_install", "-at_install")
class TestDesigner(ActionCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.manager = cls.new_user("designer", MANAGER, *CONTACTS)
        cls.administrator = cls.new_user("clicker", ADMINISTRATOR, MANAGER, *CONTACTS)

    def setUp(self):
        super().setUp()
        self.as_manager = self.env(user=self.manager)
        self.action = self.new_action(env=self.as_manager)

    def refused(self, attempt, *args, **kwargs):
        with self.assertRaises(AccessError) as raised, self.env.cr.savepoint():
            attempt(*args, **kwargs)
            self.env.flush_all()
        return str(raised.exception)

    def run_refused(self, records=None, action=None):
        """Run it as the administrator: nothing is sent and nothing is queued."""
        action = action or self.action
        with answered_calls({"pricing.quote": "42"}) as requests:
            message = self.refused(self.run_on, action, records or self.partner, self.administrator)
        self.assertEqual(requests, [])
        self.assertFalse(self.jobs_of(action))
        return message

    def hide(self, records, model="res.partner"):
        """Have a rule hide these from the manager."""
        self.env["ir.rule"].create(
            {
                "name": "Hidden",
                "model_id": self.env["ir.model"]._get_id(model),
                "domain_force": [("id", "not in", records.ids)],
                "groups": self.env.ref(MANAGER).ids,
            }
        )
        rest = self.env.ref(MANAGER).sudo()
        self.administrator.sudo().group_ids -= rest  # the rule is for managers

    def give(self, name, value):
        self.action.nameko_parameter_ids.filtered(lambda row: row.name == name).value = value

    def test_designer_is_noted(self):
        self.assertEqual(self.action.nameko_designer_id, self.manager)
        self.assertFalse(self.new_action().nameko_designer_id)
        copy = self.new_action().with_env(self.as_manager).copy()
        self.assertEqual(copy.nameko_designer_id, self.manager)
        forged = self.new_action(env=self.as_manager, nameko_designer_id=self.administrator.id)
        self.assertEqual(forged.nameko_designer_id, self.manager)
        self.action.nameko_designer_id = self.administrator
        self.assertEqual(self.action.nameko_designer_id, self.manager)

    def test_each_change_by_a_manager_makes_it_theirs(self):
        changes = (
            lambda action: action.write({"nameko_when": "later"}),
            lambda action: action.write({"group_ids": [(4, self.env.ref(MANAGER).id)]}),
            lambda action: action.nameko_parameter_ids.write({"value": "record.ref"}),
            lambda action: action.nameko_parameter_ids.create(
                {"action_id": action.id, "name": "more", "value": "1"}
            ),
            lambda action: action.nameko_parameter_ids.unlink(),
        )
        for change in changes:
            action = self.new_action()
            change(action.with_env(self.as_manager))
            self.assertEqual(action.nameko_designer_id, self.manager)

    def test_what_is_no_design_makes_it_nobody_s(self):
        action = self.new_action()
        action.with_env(self.as_manager).write({"name": "Another"})
        action.with_env(self.as_manager).create_action()
        self.assertFalse(action.nameko_designer_id)

    def test_result_that_is_written_into_an_action_designs_nothing(self):
        """An administrator ran it: that would have lifted the limit of the action it wrote into."""
        other = self.new_action(
            env=self.as_manager, model_id=self.env["ir.model"]._get_id("res.partner")
        )
        writing = self.new_action(
            model_id=self.env["ir.model"]._get_id("ir.actions.server"),
            nameko_result_field_id=self.field("nameko_timeout", "ir.actions.server").id,
        )
        self.run_answered(writing, other, 7, self.administrator)
        self.assertEqual(other.nameko_timeout, 7)
        self.assertEqual(other.nameko_designer_id, self.manager)

    def test_managers_design_on_no_technical_model(self):
        """What such a model's own checks allow is up to who runs the action."""
        for name in ("ir.actions.server", "nameko.action.parameter", "mail.template", "ir.cron"):
            values = {
                "model_id": self.env["ir.model"]._get_id(name),
                "nameko_result_kind": "nothing",
                "nameko_result_field_id": False,
            }
            message = self.refused(self.new_action, env=self.as_manager, **values)
            self.assertTrue(message)
            self.assertTrue(self.new_action(**values))

    def test_value_of_another_company_is_not_sent(self):
        """A field with a value for each company: the designer is not in the runner's."""
        other = self.env["res.company"].create({"name": "Other"})
        self.administrator.company_ids += other
        self.partner.with_company(other).barcode = "SECRET"
        self.give("name", "record.barcode")
        as_other = self.action.with_company(other)
        with answered_calls({"pricing.quote": "42"}) as requests:
            self.refused(self.run_on, as_other, self.partner, self.administrator)
        self.assertEqual(requests, [])
        self.partner.barcode = "KNOWN"
        _, requests = self.run_answered(self.action, self.partner, "42", self.administrator)
        self.assertEqual([each.kwargs for each in requests], [{"name": "KNOWN"}])

    def test_administrator_takes_it_over_by_designing_it(self):
        action = self.action.with_user(self.administrator)
        action.write({"name": "Another", "sequence": 7})
        self.assertEqual(action.nameko_designer_id, self.manager)
        action.nameko_parameter_ids.value = "record.ref"
        self.assertFalse(action.nameko_designer_id)

    def test_what_both_may_is_done(self):
        _, requests = self.run_answered(self.action, self.partner, "42", self.administrator)
        self.assertEqual(requests, [Request("pricing", "quote", (), {"name": "Ada"})])
        self.assertIn("42", self.partner.comment)

    def test_models_and_fields_of_others_are_not_designed(self):
        parameters = self.env["ir.model"]._get("ir.config_parameter")
        users = self.env["ir.model"]._get("res.users")
        password = self.field("password", "res.users")
        actions = self.env["ir.model"]._get("ir.actions.server")
        code = self.field("code", "ir.actions.server")
        self.refused(self.new_action, {}, env=self.as_manager, model_id=parameters.id,
                     nameko_result_kind="nothing", nameko_result_field_id=False)  # fmt: skip
        for model, field in ((users, password), (actions, code)):
            self.refused(self.new_action, {}, env=self.as_manager, model_id=model.id,
                         nameko_result_field_id=field.id)  # fmt: skip
            self.refused(self.action.write, {
                "model_id": model.id, "nameko_result_field_id": field.id})  # fmt: skip

    def test_record_of_others_is_neither_sent_nor_written(self):
        self.hide(self.partner)
        message = self.run_refused()
        self.assertIn("designer", message)
        self.assertIn("who designed it", message)
        self.action.nameko_when = "later"
        self.run_refused()

    def test_field_of_others_is_not_sent(self):
        field = self.env["res.partner"]._fields["ref"]
        self.patch(field, "groups", ADMINISTRATOR)
        self.give("name", "record.ref")
        self.assertIn("who designed it", self.run_refused())

    def test_related_record_of_others_is_not_sent(self):
        self.partner.parent_id = self.partners[1]
        self.hide(self.partners[1])
        for value in ("record.parent_id.name", "record.mapped('parent_id.name')"):
            self.give("name", value)
            self.run_refused()

    def test_lines_of_others_are_left_out(self):
        self.partners[1:].parent_id = self.partner
        self.hide(self.partners[2])
        self.give("name", "[child.name for child in record.child_ids]")
        _, requests = self.run_answered(self.action, self.partner, "42", self.administrator)
        self.assertEqual(requests, [Request("pricing", "quote", (), {"name": ["Bea"]})])

    def test_domain_finds_what_both_may_read(self):
        self.hide(self.partners[2])
        self.action.write(
            {
                "nameko_by_domain": True,
                "nameko_domain": f"[('id', 'in', {self.partners.ids})]",
                "nameko_result_kind": "nothing",
            }
        )
        with answered_calls({"pricing.quote": "42"}) as requests:
            self.action.with_user(self.administrator).run()
        self.assertEqual(sorted(each.kwargs["name"] for each in requests), ["Ada", "Bea"])

    def test_domain_by_a_field_of_others_is_refused(self):
        self.patch(self.env["res.partner"]._fields["ref"], "groups", ADMINISTRATOR)
        self.action.write({"nameko_by_domain": True, "nameko_domain": "[('ref', '=', 'ada')]"})
        message = self.refused(self.action.with_user(self.administrator).run)
        self.assertIn("who designed it", message)

    def test_fields_of_who_runs_it_are_within_the_limit(self):
        field = self.env["res.users"]._fields["signature"]
        self.patch(field, "groups", ADMINISTRATOR)
        self.give("name", "user.signature")
        self.run_refused()

    def test_result_of_a_job_is_held_to_it_when_it_comes(self):
        self.action.nameko_when = "later"
        self.run_on(self.action, self.partner, self.administrator)
        job = self.jobs_of(self.action)
        self.hide(self.partner)
        self.reply(job, '"42"', "42")
        self.assertEqual(job.state, "failed")
        self.assertFalse(self.partner.comment)

    def test_path_is_the_administrator_s(self):
        self.refused(self.action.write, {"path": "prices"})
        self.refused(self.new_action, env=self.as_manager, path="prices")
        self.action.with_user(self.administrator).path = "prices"
        self.action.name = "Another"
        self.assertFalse(self.action.copy().path)
