"""The helpers with which other addons test their calls."""

import os
import tempfile
from datetime import date
from pathlib import Path
from unittest.mock import patch

from odoo.addons.nameko_compute.tests.common import ComputationCase
from odoo.addons.nameko_connector.broker.amqp import errors
from odoo.addons.nameko_connector.broker.amqp.request import Request
from odoo.addons.nameko_connector.exceptions import (
    BrokerUnreachable,
    CallTimeout,
    NotSendable,
    RemoteError,
    ServiceNotAllowed,
    UnknownService,
)
from odoo.addons.nameko_connector.testing import answered_calls, recorded_calls
from odoo.addons.nameko_connector.tools.configuration import broker_config
from odoo.tests import tagged


@tagged("post_install", "-at_install")
class TestAnsweredCalls(ComputationCase):
    def test_answer_and_what_was_called(self):
        computation = self.computation(1, 2)
        with answered_calls({"compute.method": 42}) as calls:
            computation.action_suma()
        self.assertEqual(computation.result, 42)
        self.assertEqual(calls, [Request("compute", "method", (1, 2))])

    def test_error_as_answer(self):
        answers = {"compute.method": errors.CallTimeout("late")}
        with answered_calls(answers), self.assertRaises(CallTimeout):
            self.computation(1, 2).action_suma()

    def test_error_for_users_as_answer(self):
        with answered_calls({"compute.method": BrokerUnreachable("down")}):
            self.assertRaises(BrokerUnreachable, self.computation(1, 2).action_suma)

    def test_exception_as_answer_is_the_services(self):
        answers = {"compute.method": LookupError("no stock")}
        with answered_calls(answers), self.assertRaises(RemoteError) as caught:
            self.computation(1, 2).action_suma()
        self.assertEqual(caught.exception.error.exc_type, "LookupError")

    def test_function_as_answer(self):
        computation = self.computation(1, 2)
        with answered_calls({"compute.method": lambda value, other: value + 10 * other}):
            computation.action_suma()
        self.assertEqual(computation.result, 21)

    def test_what_is_no_error_of_a_service(self):
        answers = {"compute.method": ServiceNotAllowed("no")}
        with (
            answered_calls(answers),
            self.assertRaisesRegex(TypeError, "NotAllowed.* is no answer"),
        ):
            self.computation(1, 2).action_suma()

    def test_what_cannot_be_sent_is_refused(self):
        with answered_calls({"pricing.quote": 42}), self.assertRaises(NotSendable):
            self.env["nameko.rpc"].call("pricing", "quote", self.env.user)

    def test_result_is_as_it_comes_from_a_service(self):
        with answered_calls({"pricing.quote": {"amounts": (1, 2), 3: date(2040, 1, 1)}}):
            result = self.env["nameko.rpc"].call("pricing", "quote")
        self.assertEqual(result, {"amounts": [1, 2], "3": date(2040, 1, 1)})

    def test_unexpected_call_is_an_unknown_service(self):
        with answered_calls({}), self.assertRaises(UnknownService):
            self.computation(1, 2).action_suma()


@tagged("post_install", "-at_install")
class TestRecordedCalls(ComputationCase):
    def setUp(self):
        super().setUp()
        folder = self.enterContext(tempfile.TemporaryDirectory())
        self.path = Path(folder) / "calls.json"

    def record(self):
        with recorded_calls(self.path):
            self.assertEqual(self.use_the_service(), (3, "DivisionByZeroError"))

    def use_the_service(self):
        rpc = self.env["nameko.rpc"]
        total = rpc.call("compute", "method", 1, 2)
        with self.assertRaises(RemoteError) as caught:
            rpc.call("compute", "compute", "div", 1, 0)
        return total, caught.exception.error.exc_type

    def without_broker(self):
        """Forget the real broker: whoever asks it now fails."""
        self.addCleanup(broker_config.cache_clear)
        broker_config.cache_clear()
        self.enterContext(patch.dict(os.environ, AMQP_URI="amqp://nowhere.invalid/"))

    def test_replay_needs_no_broker(self):
        self.record()
        self.without_broker()
        with recorded_calls(self.path):
            self.assertEqual(self.use_the_service(), (3, "DivisionByZeroError"))

    def test_another_call_than_the_recorded_one_fails(self):
        self.record()
        with self.assertRaisesRegex(AssertionError, "is not the call"), recorded_calls(self.path):
            self.env["nameko.rpc"].call("compute", "method", 1, date(2026, 1, 1))

    def test_recorded_calls_that_are_not_made_fail(self):
        self.record()
        with self.assertRaisesRegex(AssertionError, "were not made"), recorded_calls(self.path):
            self.env["nameko.rpc"].call("compute", "method", 1, 2)
