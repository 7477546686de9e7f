"""The kind of server action “Call a Nameko service”: designing it, and running it."""

from unittest.mock import patch

from odoo.exceptions import UserError, ValidationError
from odoo.tests import Form, tagged

from ...broker.amqp.request import Request
from ...models.calls.nameko_rpc import NamekoRpc
from ...testing import answered_calls
from .action_case import ActionCase, remote_error

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
