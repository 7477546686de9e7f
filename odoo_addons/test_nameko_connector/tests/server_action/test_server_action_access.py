"""Who may design calls of services, and that they run with the rights of who runs them."""

import contextlib

from odoo.addons.nameko_connector.broker.amqp.request import Request
from odoo.addons.nameko_connector.models.actions.ir_actions_server_run import RUNNING
from odoo.addons.nameko_connector.testing import answered_calls
from odoo.addons.nameko_connector.tests.common import MANAGER, USER
from odoo.addons.nameko_connector.tests.server_action.action_case import CONTACTS
from odoo.exceptions import AccessError
from odoo.tests import tagged
from odoo.tools import mute_logger

from .run_access_case import RunAccessCase
from .test_server_action_design_access import LESSER


@tagged("post_install", "-at_install")
class TestRunAccess(RunAccessCase):
    """Each way of running: now, later, and as an automation rule does."""

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
            mute_logger("odoo.addons.base.models.ir_cron"),
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
