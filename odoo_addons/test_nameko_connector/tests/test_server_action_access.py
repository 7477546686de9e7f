"""Who may design calls of services, and that they run with the rights of who runs them."""

import contextlib

from odoo.addons.nameko_connector.broker.amqp.request import Request
from odoo.addons.nameko_connector.models.actions.ir_actions_server_run import RUNNING
from odoo.addons.nameko_connector.tests.action_case import CONTACTS, ActionCase
from odoo.addons.nameko_connector.tests.common import MANAGER, USER
from odoo.addons.nameko_connector.tests.recorded_calls import answered_calls
from odoo.exceptions import AccessError
from odoo.tests import tagged
from odoo.tools import mute_logger

OTHER_KINDS = ("code", "object_write", "object_create", "object_copy", "webhook", "multi")
LESSER = ("base.group_user", "base.group_portal", "base.group_public", USER)


@tagged("post_install", "-at_install")
class TestDesignAccess(ActionCase):
    def setUp(self):
        super().setUp()
        self.manager = self.new_user("action_manager", MANAGER, *CONTACTS)
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


@tagged("post_install", "-at_install")
class TestRunAccess(ActionCase):
    """Each way of running: now, later, as an automation rule does, and the trial."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.other_company = cls.env["res.company"].create({"name": "Elsewhere"})

    def setUp(self):
        super().setUp()
        self.user = self.new_user("runner", *CONTACTS)
        self.now = self.new_action()
        self.later = self.new_action(nameko_when="later")

    def assert_refused(self, records, user, *actions):
        """Nothing is sent, nothing is queued and nothing is written."""
        before = records.sudo().mapped("comment") if "comment" in records else None
        for action in actions or (self.now, self.later):
            for rights in (action.with_user(user), action.with_user(user).sudo()):
                self.assertEqual(self.requests_of_refused(rights, records), [])
            self.assertFalse(self.jobs_of(action))
        if before is not None:
            self.assertEqual(records.sudo().mapped("comment"), before)

    def requests_of_refused(self, action, records):
        with answered_calls({"pricing.quote": "42"}) as requests:  # noqa: SIM117  requests
            with self.assertRaises(AccessError), self.env.cr.savepoint():
                self.run_with(action, records)
        return requests

    def run_with(self, action, records):
        context = {"active_model": records._name, "active_ids": records.ids}
        return action.with_context(active_id=records[:1].id, **context).run()

    def run_refused(self, action, user, **context):
        """Nothing is sent to the service."""
        with answered_calls({"pricing.quote": "42"}) as requests:  # noqa: SIM117  requests
            with self.assertRaises(AccessError), self.env.cr.savepoint():
                action.with_user(user).with_context(**context).run()
        self.assertEqual(requests, [])

    def test_without_a_record_who_may_write_the_model_runs_it(self):
        action = self.new_action({}, nameko_result_kind="nothing")
        by_domain = self.new_action({}, nameko_result_kind="nothing", nameko_by_domain=True)
        forged = {"nameko_scheduled": True, "cron_id": 1, "lastcall": False, "su": True}
        for group in LESSER:
            user = self.new_user(f"lesser_{group}", group)
            for each in (action, by_domain):
                self.run_refused(each, user)
                self.run_refused(each, user, **forged)
        with answered_calls({"pricing.quote": "42"}) as requests:
            action.with_user(self.user).run()
        self.assertEqual(len(requests), 1)

    def test_outsiders_reach_a_service_where_a_group_of_theirs_is_allowed(self):
        action = self.new_action({}, nameko_result_kind="nothing")
        for group in ("base.group_portal", "base.group_public"):
            user = self.new_user(f"outsider_{group}", group)
            self.run_refused(action, user)
            self.run_refused(action.sudo(), user)
            action.group_ids = self.env.ref(group)
            with answered_calls({"pricing.quote": "42"}) as requests:
                action.with_user(user).run()
            self.assertEqual(len(requests), 1)
            action.group_ids = False

    def test_outsiders_who_may_write_a_record_reach_no_service(self):
        portal = self.new_user("writing_portal", "base.group_portal")
        model = self.env["ir.model"]._get_id("res.partner")
        self.env["ir.model.access"].create(
            {"name": "Portal writes", "model_id": model, "group_id": portal.group_ids.id,
             "perm_read": True, "perm_write": True}
        )  # fmt: skip
        self.env["ir.rule"].search([("model_id", "=", model)]).active = False
        self.partner.with_user(portal).check_access("write")
        for rights in (self.now.with_user(portal), self.now.with_user(portal).sudo()):
            self.assertEqual(self.requests_of_refused(rights, self.partner), [])

    def test_schedule_of_an_outsider_reaches_no_service(self):
        portal = self.new_user("scheduled_portal", "base.group_portal")
        action = self.new_action({}, nameko_result_kind="nothing")
        cron = self.env["ir.cron"].create(
            {"ir_actions_server_id": action.id, "interval_number": 1, "user_id": portal.id}
        )
        with (
            answered_calls({"pricing.quote": "42"}) as requests,
            self.enter_registry_test_mode(),
            contextlib.suppress(AccessError),
            mute_logger("odoo.addons.base.models.actions.ir_cron"),
        ):
            cron.method_direct_trigger()
        self.assertEqual(requests, [])

    def test_schedule_allows_what_its_user_may_not_do_alone(self):
        reader = self.new_user("scheduler", "base.group_user")
        action = self.new_action({}, nameko_result_kind="nothing")
        cron = self.env["ir.cron"].create(
            {"ir_actions_server_id": action.id, "interval_number": 1, "user_id": reader.id}
        )
        self.run_refused(action, reader)
        with answered_calls({"pricing.quote": "42"}) as requests, self.enter_registry_test_mode():
            cron.method_direct_trigger()
        self.assertEqual(len(requests), 1)

    def test_context_from_the_web_switches_no_action_off(self):
        ids = [self.now.id]
        for forged in ({"nameko_action_ids": ids}, {RUNNING: ids}, {RUNNING: {"ids": ids}}):
            with answered_calls({"pricing.quote": "42"}) as requests:
                self.run_with(self.now.with_user(self.user).with_context(**forged), self.partner)
            self.assertEqual(len(requests), 1)

    def test_user_runs_what_they_may(self):
        _, requests = self.run_answered(self.now, self.partner, "42", self.user)
        self.assertEqual(requests, [Request("pricing", "quote", (), {"name": "Ada"})])
        self.assertEqual(self.partner.write_uid, self.user)
        self.run_on(self.later, self.partner, self.user)
        job = self.jobs_of(self.later)
        self.assertEqual((job.user_id, job.company_id), (self.user, self.user.company_id))
        self.reply(job, '"43"', "43")
        self.assertIn("43", self.partner.comment)

    def test_a_model_s_own_check_looks_at_the_designer_too(self):
        """Who writes the contact of a user needs rights on users, says `res.partner.write`."""
        manager = self.new_user("own_check_manager", MANAGER, *CONTACTS)
        contact = self.env.ref("base.user_admin").partner_id
        email = contact.email
        for when in ("now", "later"):
            action = self.new_action(
                env=self.env(user=manager),
                nameko_when=when,
                nameko_result_field_id=self.env["ir.model.fields"]._get("res.partner", "email").id,
            )
            with self.subTest(when=when), contextlib.suppress(AccessError):
                self.run_answered(
                    action, contact, "taken@over.test", self.env.ref("base.user_admin")
                )
            for job in self.jobs_of(action):
                self.reply(job, '"taken@over.test"', "taken@over.test")
                self.assertEqual(job.state, "failed")
            self.assertEqual(contact.email, email)

    def test_a_try_as_the_designer_leaves_nothing(self):
        manager = self.new_user("trying_manager", MANAGER, *CONTACTS)
        action = self.new_action(env=self.env(user=manager))
        before = self.partner.message_ids
        self.run_answered(action, self.partner, "42", self.user)
        self.assertEqual(self.partner.write_uid, self.user)
        self.assertFalse(
            (self.partner.message_ids - before).filtered(
                lambda message: message.author_id == manager.partner_id
            )
        )

    def test_who_may_not_write_sends_nothing(self):
        for group in LESSER:
            self.assert_refused(self.partner, self.new_user(f"reader_{group}", group))

    def test_group_of_the_action_gives_no_more_rights(self):
        reader = self.new_user("reader", "base.group_user")
        (self.now + self.later).group_ids = self.env.ref("base.group_user")
        self.assert_refused(self.partner, reader)

    def test_who_may_read_posts_no_result(self):
        reader = self.new_user("reader", "base.group_user")
        group = self.env.ref("base.group_user").ids
        posting = [
            self.new_action(nameko_result_kind="chatter", nameko_when=when, group_ids=group)
            for when in ("now", "later")
        ]
        self.assert_refused(self.partner, reader, *posting)

    def test_who_may_read_may_send_where_nothing_is_written(self):
        reader = self.new_user("reader", "base.group_user")
        group = self.env.ref("base.group_user").ids
        action = self.new_action(nameko_result_kind="nothing", group_ids=group)
        _, requests = self.run_answered(action, self.partner, "42", reader)
        self.assertEqual(len(requests), 1)

    def test_field_that_may_not_be_read_is_not_sent(self):
        self.patch(self.partner._fields["ref"], "groups", "base.group_system")
        secret = [
            self.new_action({"name": "record.ref"}, nameko_when=when) for when in ("now", "later")
        ]
        self.assertEqual(self.partner.ref, "ada")  # in the cache, which knows no rights
        self.assert_refused(self.partner, self.user, *secret)

    def test_field_that_may_not_be_written_refuses_before_the_call(self):
        self.patch(self.partner._fields["comment"], "groups", "base.group_system")
        self.assert_refused(self.partner, self.user)

    def test_record_of_a_colleague_is_not_sent(self):
        values = {"value": 1, "other": 2}
        user, colleague = self.new_user("one", USER), self.new_user("two", USER)
        theirs = self.env["nameko.compute"].with_user(colleague).create(values)
        theirs.read()
        model = self.env["ir.model"]._get("nameko.compute")
        for when in ("now", "later"):
            action = self.new_action(
                model_id=model.id,
                nameko_when=when,
                nameko_result_field_id=self.field("name", "nameko.compute").id,
            )
            self.assert_refused(theirs, user, action)

    def test_related_record_that_may_not_be_read_is_not_sent(self):
        self.partner.parent_id = self.env["res.partner"].create(
            {"name": "Secret", "company_id": self.other_company.id, "is_company": True}
        )
        secret = [
            self.new_action({"name": "record.parent_id.name"}, nameko_when=when)
            for when in ("now", "later")
        ]
        self.assertEqual(self.partner.parent_id.name, "Secret")
        self.assert_refused(self.partner, self.user, *secret)

    def test_related_records_that_may_not_be_read_are_left_out(self):
        company = self.other_company.id
        self.env["res.partner"].create(
            [
                {"name": "Secret", "parent_id": self.partner.id, "company_id": company},
                {"name": "Known", "parent_id": self.partner.id},
            ]
        )
        self.assertEqual(len(self.partner.child_ids), 2)
        action = self.new_action({"name": "record.child_ids.mapped('name')"})
        _, requests = self.run_answered(action, self.partner, "42", self.user)
        self.assertEqual(requests[0].kwargs, {"name": ["Known"]})

    def test_record_of_another_company(self):
        self.partner.company_id = self.other_company
        self.assert_refused(self.partner, self.user)
        self.assert_refused(self.partners, self.user)  # all or none
        there = self.new_user("there", *CONTACTS, company=self.other_company)
        self.run_answered(self.now, self.partner, "42", there)
        self.assertIn("42", self.partner.comment)

    def test_job_keeps_the_company_and_rights_of_its_user(self):
        there = self.new_user("there", *CONTACTS, company=self.other_company)
        self.run_on(self.later, self.partners[:2], there)
        first, second = self.jobs_of(self.later)
        self.assertEqual((first + second).company_id, self.other_company)
        self.partners[1].company_id = self.env.company  # meanwhile
        self.reply(first, '"42"', "42")
        self.reply(second, '"42"', "42")
        self.assertEqual((first.state, second.state), ("done", "failed"))
        self.assertEqual(second.error_type, "AccessError")
        self.assertFalse(self.partners[1].comment)

    def test_domain_finds_what_the_user_may_see(self):
        self.partners[0].company_id = self.other_company
        self.now.nameko_by_domain = True
        self.now.nameko_domain = "[('ref', 'in', ['ada', 'bea'])]"
        with answered_calls({"pricing.quote": "42"}) as requests:
            self.now.with_user(self.user).sudo().run()
        self.assertEqual([request.kwargs["name"] for request in requests], ["Bea"])

    def test_automation_and_schedule_run_as_the_user(self):
        with answered_calls({"pricing.quote": "42"}) as requests:
            self.run_with(self.now.with_user(self.user).sudo(), self.partner)
        self.assertEqual(len(requests), 1)
        self.assertEqual(self.partner.write_uid, self.user)

    def test_trial_has_the_manager_s_own_rights(self):
        manager = self.new_user("trier", MANAGER)  # who may not write partners
        trials = self.env["nameko.action.trial"].with_user(manager)
        reference = f"res.partner,{self.partner.id}"
        trial = trials.create({"action_id": self.now.id, "record_ref": reference})
        with answered_calls({"pricing.quote": "42"}) as requests:
            trial.action_try()
        self.assertEqual(requests, [])
        self.assertIn("not allowed to modify", trial.error)
        self.now.nameko_result_kind = "nothing"
        with answered_calls({"pricing.quote": "42"}) as requests:
            trial.action_try()
        self.assertEqual((len(requests), trial.answer), (1, '"42"'))

    def test_trial_of_another_company_s_record(self):
        self.partner.company_id = self.other_company
        manager = self.new_user("trier", MANAGER, *CONTACTS)
        trials = self.env["nameko.action.trial"].with_user(manager)
        trial = trials.create(
            {"action_id": self.now.id, "record_ref": f"res.partner,{self.partner.id}"}
        )
        with answered_calls({"pricing.quote": "42"}) as requests:
            trial.action_try()
        self.assertEqual(requests, [])
        self.assertIn("top-secret", trial.error)

    def test_trial_is_its_maker_s(self):
        one, two = self.new_user("trier", MANAGER), self.new_user("other_trier", MANAGER)
        trial = self.env["nameko.action.trial"].with_user(one).create({"action_id": self.now.id})
        with self.assertRaises(AccessError):
            trial.with_user(two).action_try()

    def test_trial_tells_nothing_of_other_actions(self):
        code = self.env["ir.actions.server"].create(
            {
                "name": "Secret",
                "model_id": self.env["ir.model"]._get_id("res.users"),
                "state": "code",
            }
        )
        with self.assertRaises(AccessError):
            self.env["nameko.action.trial"].with_user(self.new_user("trier", MANAGER)).create(
                {"action_id": code.id}
            )

    def test_manager_without_administration_reads_what_the_form_needs(self):
        manager = self.new_user("designer", MANAGER)
        env = self.env(user=manager)
        self.assertTrue(env["ir.model"].search([("model", "=", "res.partner")]).name)
        self.assertTrue(env["ir.model.fields"].search([("model", "=", "res.partner")], limit=1))
        with self.assertRaises(AccessError):
            env["ir.model.fields"].browse(self.field("ref").id).write({"field_description": "x"})
