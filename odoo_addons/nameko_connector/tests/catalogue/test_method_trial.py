"""A manager tries a method of a service."""

from odoo.exceptions import AccessError
from odoo.tests import tagged

from ...broker.amqp.request import Request
from ...testing import answered_calls
from ..common import MANAGER, USER, ConnectorCase


@tagged("post_install", "-at_install")
class TestMethodTrial(ConnectorCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.manager = cls.new_user("trial_manager", MANAGER)

    def setUp(self):
        super().setUp()
        service = self.env["nameko.service"].create({"name": "pricing"})
        kinds = {"order": "POSITIONAL_OR_KEYWORD", "qty": "KEYWORD_ONLY", "rest": "VAR_KEYWORD"}
        parameters = [{"name": name, "kind": kind} for name, kind in kinds.items()]
        parameters[1]["default"] = 1
        method = self.env["nameko.method"].create(
            {
                "service": "pricing",
                "service_id": service.id,
                "name": "quote",
                "parameters": parameters,
            }
        )
        self.method = method.with_user(self.manager)

    def trial(self, **values):
        trial = self.env["nameko.method.trial"].with_user(self.manager)
        return trial.create({"method_id": self.method.id, **values})

    def test_it_begins_with_the_parameters(self):
        trial = self.env["nameko.method.trial"].browse(self.method.action_try()["res_id"])
        self.assertEqual(trial.named, '{\n  "order": null\n}')

    def test_it_calls_and_shows_the_answer(self):
        trial = self.trial(positional="[7]", named='{"timeout": 3}')
        with answered_calls({"pricing.quote": {"amount": "3.00"}}) as calls:
            trial.action_try()
        self.assertEqual(calls, [Request("pricing", "quote", (7,), {"timeout": 3})])
        self.assertIn('"amount"', trial.answer)
        self.assertFalse(trial.error)

    def test_it_says_what_is_wrong(self):
        for values, expected in (
            ({"positional": "7"}, "must be a list"),
            ({"named": "{order: 1}"}, "not valid JSON"),
            ({"named": "[]"}, "must be an object"),
            ({"positional": False}, "not valid JSON"),
            ({}, "pricing"),  # nobody answers
        ):
            trial = self.trial(**values)
            with answered_calls({}):
                trial.action_try()
            self.assertIn(expected, trial.error)
            self.assertFalse(trial.answer)

    def test_services_that_are_not_allowed(self):
        self.env["ir.config_parameter"].set_param("nameko_connector.allowed_services", "other")
        trial = self.trial()
        with answered_calls({"pricing.quote": 1}) as calls:
            trial.action_try()
        self.assertEqual(calls, [])
        self.assertIn("pricing", trial.error)

    def test_users_may_not(self):
        with self.assertRaises(AccessError):
            self.method.with_user(self.new_user("trial_user", USER)).action_try()

    def test_an_action_of_it(self):
        action = self.method.action_make_action()
        self.assertEqual(action["context"]["default_nameko_method_id"], self.method.id)
