"""The kind of server action “Call a Nameko service”: designing it, and running it."""

import json
from unittest.mock import patch

from odoo.exceptions import UserError, ValidationError
from odoo.tests import Form, tagged

from ..broker.amqp.request import Request
from ..broker.jobs.reply import Reply
from ..exceptions import (
    NamekoError,
    RemoteError,
    ResultNotWritten,
    UnusableExpression,
    UnusableResult,
)
from ..models.actions.ir_actions_server_run import RUNNING, RunningActions
from ..models.calls.nameko_rpc import NamekoRpc
from .action_case import CONTACTS, ActionCase, remote_error
from .common import USER
from .recorded_calls import answered_calls

PARAMETERS = [
    {"name": "name", "kind": "POSITIONAL_ONLY", "annotation": "str"},
    {"name": "quantity", "kind": "POSITIONAL_OR_KEYWORD", "annotation": "int", "default": 1},
    {"name": "currency", "kind": "KEYWORD_ONLY", "annotation": "str"},
]


@tagged("post_install", "-at_install")
class TestDesign(ActionCase):
    def setUp(self):
        super().setUp()
        self.method = self.new_method(doc="A price.", parameters=PARAMETERS)

    def chosen(self, parameters, **values):
        rows = [
            (0, 0, {"name": name, "value": value, "kind": kind})
            for name, (value, kind) in parameters.items()
        ]
        return self.new_action(nameko_method_id=self.method.id, nameko_parameter_ids=rows, **values)

    def test_choice_fills_names_and_parameters(self):
        with Form(self.env["ir.actions.server"]) as form:
            form.model_id = self.partner_model
            form.state = "nameko"
            form.nameko_method_id = self.method
            form.nameko_result_field_id = self.field("comment")
            for number, value in ((0, "record.name"), (2, "'EUR'")):
                with form.nameko_parameter_ids.edit(number) as row:
                    row.value = value
        action = form.record
        self.assertEqual((action.nameko_service, action.nameko_method), ("pricing", "quote"))
        rows = action.nameko_parameter_ids.sorted()
        self.assertEqual(
            [(row.name, row.kind, row.value, row.expected) for row in rows],
            [
                ("name", "positional", "record.name", "name: str"),
                ("quantity", "keyword", False, "quantity: int = 1"),
                ("currency", "keyword", "'EUR'", "currency: str"),
            ],
        )
        self.assertEqual(action.name, "Call pricing.quote")

    def test_another_choice_keeps_what_was_typed(self):
        parameters = [
            {"name": "name", "kind": "KEYWORD_ONLY"},
            {"name": "new", "kind": "KEYWORD_ONLY"},
        ]
        other = self.new_method("other", parameters=parameters)
        with Form(self.env["ir.actions.server"]) as form:
            form.model_id = self.partner_model
            form.state = "nameko"
            form.nameko_result_field_id = self.field("comment")
            form.nameko_method_id = self.method
            with form.nameko_parameter_ids.edit(0) as row:
                row.value = "record.name"
            form.nameko_method_id = other
            with form.nameko_parameter_ids.edit(1) as row:
                row.value = "1"
            with form.nameko_parameter_ids.edit(0) as row:
                row.kind = "keyword"
        rows = form.record.nameko_parameter_ids.sorted()
        self.assertEqual(
            rows.mapped(lambda row: (row.name, row.value)), [("name", "record.name"), ("new", "1")]
        )

    def test_signature_is_kept_to(self):
        self.chosen({"name": ("'a'", "positional"), "currency": ("'EUR'", "keyword")})
        for parameters, reason in (
            ({"name": ("'a'", "positional")}, "“currency” is missing"),
            (
                {"name": ("'a'", "keyword"), "currency": ("'E'", "keyword")},
                "“name” is positional only: pass it by position, without a name",
            ),
            (
                {
                    "name": ("'a'", "positional"),
                    "currency": ("'E'", "keyword"),
                    "rebate": ("1", "keyword"),
                },
                "has no parameter “rebate”",
            ),
            (
                {"name": (False, "positional"), "currency": ("'E'", "keyword")},
                "“name” is missing",
            ),
        ):
            with self.assertRaisesRegex(ValidationError, reason):
                self.chosen(parameters)

    def test_typed_names_must_be_those_chosen(self):
        parameters = {"name": ("'a'", "positional"), "currency": ("'EUR'", "keyword")}
        with self.assertRaisesRegex(ValidationError, "pricing.other is typed"):
            self.chosen(parameters, nameko_method="other")

    def test_what_cannot_be_is_refused_when_saved(self):
        for parameters, values in (
            ({"1st": "1"}, {}),
            ({"class": "1"}, {}),
            ({"name": "record."}, {}),
            ({"name": "recrod.name"}, {}),
            ({}, {"nameko_service": False}),
            ({}, {"nameko_method": "a.b"}),
            ({}, {"nameko_result_field_id": False}),
            ({}, {"nameko_result_field_id": self.field("create_date").id}),
            ({}, {"nameko_result_field_id": self.field("child_ids").id}),
            ({}, {"nameko_result_field_id": self.field("display_name").id}),
            ({}, {"nameko_result_field_id": self.field("login", "res.users").id}),
            ({}, {"nameko_result_path": "quote..total"}),
            ({}, {"nameko_identity_key": "record.id +"}),
            ({}, {"nameko_domain": "import os"}),
            ({}, {"nameko_timeout": -1}),
            ({}, {"nameko_timeout": 61}),  # s, for which one of Odoo's connections is held
            ({}, {"nameko_timeout": 61, "nameko_when": "now"}),
            ({}, {"nameko_max_attempts": -1}),
        ):
            with self.assertRaises(ValidationError, msg=(parameters, values)):
                self.new_action(parameters, **values)

    def test_forgotten_method_leaves_the_action_as_it_is(self):
        action = self.chosen({"name": ("'a'", "positional"), "currency": ("'EUR'", "keyword")})
        self.method.unlink()
        self.env.flush_all()
        self.env.invalidate_all()
        self.assertFalse(action.nameko_method_id)
        self.assertEqual((action.nameko_service, action.nameko_method), ("pricing", "quote"))
        self.assertEqual(len(action.nameko_parameter_ids), 2)

    def test_copy_has_everything(self):
        action = self.chosen({"name": ("'a'", "positional"), "currency": ("'EUR'", "keyword")})
        copy = action.copy()
        self.assertEqual(copy.nameko_parameter_ids.mapped("value"), ["'a'", "'EUR'"])
        self.assertEqual(copy.nameko_service, "pricing")

    def test_models_that_keep_no_records_are_refused(self):
        for model in ("base.language.install", "mail.thread"):
            with self.assertRaisesRegex(ValidationError, "keeps no records"):
                self.new_action(model_id=self.env["ir.model"]._get_id(model))

    def test_model_without_chatter_is_warned_of(self):
        country = self.env["ir.model"]._get("res.country")
        action = self.new_action(
            model_id=country.id, nameko_result_kind="nothing", nameko_on_error="chatter"
        )
        self.assertIn("no chatter", action.warning)
        with self.assertRaises(UserError):
            self.run_on(action, self.env.ref("base.es"))

    def test_values_in_order_by_position_and_by_name(self):
        action = self.chosen({"name": ("'a'", "positional"), "currency": ("'EUR'", "keyword")})
        _, requests = self.run_answered(action, self.partner, "x")
        self.assertEqual(requests, [Request("pricing", "quote", ("a",), {"currency": "EUR"})])


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
        return [(message["type"], message["payload"]) for message in messages]

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


@tagged("post_install", "-at_install")
class TestTrial(ActionCase):
    def try_on(self, action, record, answer):
        opened = action.action_nameko_try()
        trial = self.env["nameko.action.trial"].browse(opened["res_id"])
        trial.record_ref = record and f"{record._name},{record.id}"
        with answered_calls({"pricing.quote": answer}):
            trial.action_try()
        return trial

    def test_shows_everything_and_writes_nothing(self):
        action = self.new_action(nameko_result_path="total", nameko_when="later")
        trial = self.try_on(action, self.partner, {"total": "12"})
        self.assertIn('"name": "Ada"', trial.request)
        self.assertIn('"total": "12"', trial.answer)
        self.assertEqual(trial.written, "Notes: 12")
        self.assertGreater(trial.milliseconds, 0)
        self.assertFalse(trial.error)
        self.assertFalse(self.partner.comment)
        self.assertFalse(self.jobs_of(action))

    def test_shows_the_error(self):
        trial = self.try_on(self.new_action(), self.partner, remote_error("sold out"))
        self.assertIn("sold out", trial.error)
        self.assertIn("Ada", trial.request)
        self.assertFalse(trial.answer)

    def test_it_waits_no_longer_than_a_call_now(self):
        action = self.new_action(nameko_when="later", nameko_timeout=900_000)
        with patch.object(NamekoRpc, "call_many", return_value=["12"]) as call_many:
            self.try_on(action, self.partner, "12")
        self.assertEqual(call_many.call_args.kwargs, {"timeout": 60})

    def test_record_of_another_model(self):
        trial = self.try_on(self.new_action(), self.env.user, "12")
        self.assertIn("action's model", trial.error)

    def test_trial_shows_texts_that_no_database_holds(self):
        action = self.new_action({"name": "'a\\0'"}, nameko_result_kind="chatter")
        trial = self.try_on(action, self.partner, "an\ud800swer")
        self.env.flush_all()
        self.env.invalidate_all()
        self.assertFalse(trial.error)
        self.assertIn('"a\\u0000"', trial.request)
        self.assertIn("an\ufffdswer", trial.answer)
        self.assertIn("an\ufffdswer", trial.written)

    def test_trial_says_which_text_cannot_be_sent(self):
        action = self.new_action(
            {"value": "'\\ud800'"}, nameko_service="compute", nameko_method="method"
        )
        opened = action.action_nameko_try()
        trial = self.env["nameko.action.trial"].browse(opened["res_id"])
        trial.action_try()
        self.env.flush_all()
        self.assertIn("argument 'value' cannot be put into JSON: a text in it", trial.error)


@tagged("post_install", "-at_install")
class TestNumbers(ActionCase):
    def test_numbers_that_no_column_holds_are_refused_by_their_label(self):
        action = self.new_action()
        for name, label, values in (
            ("nameko_max_attempts", "Maximum Attempts", (2**31, 2**40, 10**20)),
            ("nameko_priority", "Job's Priority", (2**31, 2**40, -(2**40))),
        ):
            for value in values:
                with self.assertRaisesRegex(ValidationError, f"“{label}” is {value}"):
                    self.new_action(**{name: value})
                with self.assertRaisesRegex(ValidationError, f"“{label}” is {value}"):
                    action.write({name: value})
        wizards = self.env["nameko.job.reschedule"]
        with self.assertRaisesRegex(ValidationError, "“Priority” is"):
            wizards.create({"priority": 2**40})
