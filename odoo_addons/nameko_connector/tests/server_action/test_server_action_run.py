"""Server actions that call a service: now and later."""

import json

from odoo.exceptions import UserError, ValidationError
from odoo.tests import tagged

from ...broker.amqp.request import Request
from ...broker.jobs.reply import Reply
from ...exceptions import (
    NamekoError,
    RemoteError,
    ResultNotWritten,
    UnusableExpression,
    UnusableResult,
)
from ...models.actions.ir_actions_server_run import RUNNING, RunningActions
from ...testing import answered_calls
from ..common import USER
from .action_case import CONTACTS, ActionCase, remote_error


@tagged("post_install", "-at_install")
class TestRunNow(ActionCase):
    def test_result_stands_in_the_field(self):
        returned, requests = self.run_answered(self.new_action(), self.partner, "42 €")
        self.assertEqual(requests, [Request("pricing", "quote", (), {"name": "Ada"})])
        self.assertIn("42 €", self.partner.comment)
        self.assertFalse(returned)

    def test_selection_is_one_run(self):
        action = self.new_action(
            {"name": "record.name"}, "ref", nameko_result_path="prices.0.total"
        )
        answer = {"prices": [{"total": "12"}]}
        returned, requests = self.run_answered(action, self.partners, answer)
        self.assertEqual([request.kwargs["name"] for request in requests], ["Ada", "Bea", "Cleo"])
        self.assertEqual(self.partners.mapped("ref"), ["12"] * 3)
        self.assertEqual(returned["params"]["type"], "success")

    def test_error_is_raised_for_one(self):
        with self.assertRaises(RemoteError):
            self.run_answered(self.new_action(), self.partner, remote_error("no such price"))

    def test_good_records_keep_their_results_and_the_others_are_told(self):
        action = self.new_action({"name": "record.name[3]"}, "ref")  # Cleo's alone is so long
        returned, requests = self.run_answered(action, self.partners, "12")
        self.assertEqual(self.partners.mapped("ref"), ["ada", "bea", "12"])
        self.assertEqual(len(requests), 1)
        self.assertEqual(
            (returned["params"]["type"], returned["params"]["sticky"]), ("warning", True)
        )
        self.assertIn("1 done, 2 failed", returned["params"]["message"])
        self.assertIn("IndexError", returned["params"]["message"])

    def test_nothing_done_is_an_error(self):
        with self.assertRaisesRegex(NamekoError, "no such price"):
            self.run_answered(self.new_action(), self.partners, remote_error("no such price"))

    def test_error_in_the_chatter(self):
        action = self.new_action(nameko_on_error="chatter")
        self.assertFalse(self.run_answered(action, self.partner, remote_error("sold out"))[0])
        message = self.partner.message_ids[0]
        self.assertIn("sold out", message.body)
        self.assertEqual(message.subtype_id, self.env.ref("mail.mt_note"))

    def test_error_ignored(self):
        action = self.new_action(nameko_on_error="ignore")
        count = len(self.partner.message_ids)
        self.assertFalse(self.run_answered(action, self.partner, remote_error())[0])
        self.assertEqual(len(self.partner.message_ids), count)

    def test_result_in_the_chatter_is_text_and_no_markup(self):
        action = self.new_action(nameko_result_kind="chatter", nameko_result_path="total")
        self.run_answered(action, self.partner, {"total": "<b>12</b>"})
        self.assertIn("pricing.quote answered: &lt;b&gt;12", self.partner.message_ids[0].body)

    def test_result_ignored(self):
        action = self.new_action(nameko_result_kind="nothing")
        _, requests = self.run_answered(action, self.partner, "42")
        self.assertEqual(len(requests), 1)
        self.assertFalse(self.partner.comment)

    def test_part_that_is_not_there(self):
        action = self.new_action(nameko_result_path="quote.total")
        with self.assertRaisesRegex(UnusableResult, "“total” of “quote.total”"):
            self.run_answered(action, self.partner, {"quote": {"sum": 1}})

    def test_a_schedule_needs_records_for_its_result(self):
        action = self.new_action({})
        with self.assertRaisesRegex(ValidationError, "Run on Records That Match"):
            self.env["ir.cron"].create({"ir_actions_server_id": action.id})
        self.env["ir.cron"].create(
            {"ir_actions_server_id": action.id, "nameko_result_kind": "nothing"}
        )

    def test_an_expression_is_refused_in_the_users_language(self):
        self.env["res.lang"]._activate_lang("es_ES")
        action = self.new_action({"name": "9**9**9"}).with_context(lang="es_ES")
        with self.assertRaisesRegex(UnusableExpression, "produce un número demasiado grande"):
            self.run_answered(action, self.partner, "42")

    def test_record_is_no_value(self):
        with self.assertRaisesRegex(UnusableExpression, "(?s)Ada.*“name”.*send its id"):
            self.run_answered(self.new_action({"name": "record"}), self.partner, "42")

    def test_text_that_is_no_choice(self):
        action = self.new_action({}, "type")
        with self.assertRaisesRegex(UnusableResult, "nonsense"):
            self.run_answered(action, self.partner, "nonsense")
        self.run_answered(action, self.partner, "invoice")
        self.assertEqual(self.partner.type, "invoice")

    def test_model_that_does_not_take_the_result_says_why(self):
        action = self.new_action({}, "name")
        with self.assertRaisesRegex(ResultNotWritten, "Ada.*name"):
            self.run_answered(action, self.partner, None)
        self.assertEqual(self.partner.name, "Ada")

    def test_model_that_takes_some_results_keeps_those(self):
        action = self.new_action({}, "name")
        people = self.partners + self.env["res.partner"].create({"type": "other"})
        returned, _ = self.run_answered(action, people, None)
        self.assertIn("1 done, 3 failed", returned["params"]["message"])
        self.assertEqual(self.partners.mapped("name"), ["Ada", "Bea", "Cleo"])

    def test_scheduled_run_takes_the_domain(self):
        action = self.new_action(
            nameko_by_domain=True, nameko_domain="[('ref', 'in', ['ada', 'cleo'])]"
        )
        with answered_calls({"pricing.quote": "42"}) as requests:
            action.run()
        self.assertEqual({request.kwargs["name"] for request in requests}, {"Ada", "Cleo"})

    def test_scheduled_run_that_finds_nothing_calls_nothing(self):
        action = self.new_action(nameko_by_domain=True, nameko_domain="[('ref', '=', 'nobody')]")
        with answered_calls({}) as requests:
            self.assertFalse(action.run())
        self.assertEqual(requests, [])

    def test_domain_that_the_database_refuses_is_told(self):
        action = self.new_action(nameko_by_domain=True, nameko_domain="[('id', 'in', 'text')]")
        with answered_calls({}) as requests, self.assertRaisesRegex(UserError, "not a domain"):
            self.run_on(action, self.env["res.partner"])
        self.assertEqual(requests, [])

    def test_without_record_or_domain_there_is_one_call(self):
        action = self.new_action({"name": "company.name"}, nameko_result_kind="nothing")
        with answered_calls({"pricing.quote": 1}) as requests:
            action.run()
        self.assertEqual(requests[0].kwargs, {"name": self.env.company.name})

    def test_result_without_a_record_is_refused_before_the_call(self):
        with answered_calls({}) as requests, self.assertRaisesRegex(UserError, "no record"):
            self.new_action({}).run()
        self.assertEqual(requests, [])

    def test_result_does_not_set_its_own_action_off(self):
        action = self.new_action({}, "ref")
        with answered_calls({"pricing.quote": "12"}) as requests:
            self.run_on(action.with_context(**{RUNNING: RunningActions({action.id})}), self.partner)
        self.assertEqual(requests, [])


@tagged("post_install", "-at_install")
class TestRunLater(ActionCase):
    def later(self, *args, **values):
        return self.new_action(*args, nameko_when="later", **values)

    def run_later(self, action, records=None):
        returned = self.run_on(action, self.partner if records is None else records)
        return returned, self.jobs_of(action)

    def test_each_record_has_its_job(self):
        action = self.later(
            {"name": "record.name"},
            "ref",
            nameko_priority=3,
            nameko_timeout=7,
            nameko_max_attempts=5,
        )
        returned, jobs = self.run_later(action, self.partners)
        self.assertEqual(jobs.mapped("res_id"), self.partners.ids)
        self.assertEqual(
            jobs.mapped(lambda job: (job.priority, job.timeout, job.max_attempts)), [(3, 7, 5)] * 3
        )
        self.assertIn("3 queued", returned["params"]["message"])
        for job in jobs:
            self.reply(job, '"12"', "12")
        self.assertEqual(jobs.mapped("state"), ["done"] * 3)
        self.assertEqual(self.partners.mapped("ref"), ["12"] * 3)

    def test_result_that_does_not_fit_fails_the_job_and_is_kept(self):
        action = self.later({}, "ref", nameko_result_path="total", nameko_on_error="chatter")
        _, job = self.run_later(action)
        self.reply(job, '{"sum": "12"}', {"sum": "12"})
        self.assertEqual((job.state, job.get_result()), ("failed", {"sum": "12"}))
        self.assertIn("is not in a dictionary", self.partner.message_ids[0].body)
        action.nameko_result_path = "sum"
        job.action_apply_again()
        self.env.invalidate_all()
        self.assertEqual((job.state, self.partner.ref), ("done", "12"))

    def test_error_in_the_chatter(self):
        _, job = self.run_later(self.later(nameko_on_error="chatter"))
        self.reply_error(job, "sold out")
        self.assertEqual(job.state, "failed")
        self.assertIn("sold out", self.partner.message_ids[0].body)

    def test_error_is_told_to_who_asked(self):
        action = self.later()
        self.run_on(action, self.partner, self.new_user("user", *CONTACTS))
        job = self.jobs_of(action)
        self.env["bus.bus"].sudo().search([]).unlink()
        self.reply_error(job, "sold out")
        self.assertEqual((job.state, job.error_type), ("failed", "NoPrice"))
        ((kind, payload),) = self.told()
        self.assertEqual((kind, payload["count"]), ("nameko_failures", 1))
        self.assertRegex(payload["text"], "^Ada: .*sold out")

    def told(self):
        """Commit, as far as a test does; return the kinds and payloads of what the bus sends."""
        self.env.cr.precommit.run()
        messages = map(json.loads, self.env["bus.bus"].sudo().search([]).mapped("message"))
        ours = [each for each in messages if each["type"].startswith("nameko_")]
        return [(message["type"], message["payload"]) for message in ours]

    def all_fail(self, jobs):
        self.env["bus.bus"].sudo().search([]).unlink()
        self.env.flush_all()
        self.env.cr.execute("UPDATE nameko_job SET state = 'sent' WHERE id = ANY(%s)", [jobs.ids])
        error = {"exc_type": "NoPrice", "exc_path": "NoPrice", "exc_args": [], "value": "no"}
        self.env["nameko.job"].apply_replies([Reply(job.uuid, error=error) for job in jobs])

    def test_failures_of_an_action_are_one_message_to_each_user(self):
        partners = self.env["res.partner"].create([{"name": "Many"}] * 6)
        reader = self.new_user("reader", *CONTACTS)
        user = self.new_user("user", USER, *CONTACTS)
        first, second = self.later(), self.later()
        for action, asking in ((first, reader), (first, user), (second, user)):
            for partner in partners:  # together they are a batch, which has its own message
                self.run_on(action, partner, asking)
        jobs = self.jobs_of(first) + self.jobs_of(second)
        self.all_fail(jobs)
        told = [payload for _, payload in self.told()]
        self.assertEqual([payload["count"] for payload in told], [6, 6, 6])
        by_model = {(payload["action"], payload["model"]): payload["ids"] for payload in told}
        asked_by_user = jobs.filtered(lambda job: job.user_id == user)
        self.assertEqual(
            by_model,
            {
                (first.id, "res.partner"): partners.ids,
                (first.id, "nameko.job"): (asked_by_user & self.jobs_of(first)).ids,
                (second.id, "nameko.job"): self.jobs_of(second).ids,
            },
        )

    def test_result_in_the_chatter(self):
        _, job = self.run_later(self.later(nameko_result_kind="chatter"))
        self.reply(job, "12", 12)
        self.assertIn("answered: 12", self.partner.message_ids[0].body)

    def test_identity_key_is_the_action_s_own(self):
        action = self.later(nameko_identity_key="record.id")
        self.run_later(action)
        self.run_later(action)
        self.assertEqual(len(self.jobs_of(action)), 1)
        self.assertEqual(len(self.run_later(action.copy())[1]), 1)

    def test_identity_key_that_cannot_be_kept(self):
        for expression in ("'\\x00'", "'a' * 256", "'\\ud800'"):
            with self.assertRaises(UnusableExpression):
                self.run_later(self.later(nameko_identity_key=expression))

    def test_deleted_action_leaves_the_result_in_the_job(self):
        action = self.later()
        _, job = self.run_later(action)
        action.unlink()
        self.reply(job, '"12"', "12")
        self.assertEqual((job.state, job.get_result()), ("failed", "12"))
        self.assertIn("deleted", job.error_message)

    def test_without_a_record(self):
        action = self.later({}, nameko_result_kind="nothing")
        action.run()
        job = self.jobs_of(action)
        self.assertFalse(job.res_model)
        self.reply(job, "1", 1)
        self.assertEqual(job.state, "done")
