"""The API for addons: `env["nameko.rpc"]`."""

from odoo.tests import TransactionCase, tagged

from .. import exceptions
from ..broker.amqp import errors
from ..broker.amqp.request import Request


@tagged("post_install", "-at_install")
class TestCall(TransactionCase):
    def setUp(self):
        super().setUp()
        self.rpc = self.env["nameko.rpc"]

    def test_call_returns_the_answer(self):
        self.assertEqual(self.rpc.call("compute", "method", 1, value2=2), 3)

    def test_unknown_service(self):
        with self.assertRaises(exceptions.UnknownService) as caught:
            self.rpc.call("nowhere", "method")
        self.assertIn("“nowhere” is not known", str(caught.exception))

    def test_unknown_method(self):
        with self.assertRaises(exceptions.UnknownMethod):
            self.rpc.call("compute", "no_such_method")

    def test_wrong_arguments(self):
        with self.assertRaises(exceptions.WrongArguments):
            self.rpc.call("compute", "method", 1)

    def test_remote_error_keeps_type_and_message(self):
        with self.assertRaises(exceptions.RemoteError) as caught:
            self.rpc.call("compute", "compute", "power", 2, 3)
        self.assertEqual(caught.exception.error.exc_type, "UnknownOperationError")
        self.assertIn("power", caught.exception.error.remote_message)

    def test_recordset_is_refused_before_anything_is_sent(self):
        with self.assertRaises(exceptions.NotSendable) as caught:
            self.rpc.call("compute", "method", self.env.user, 1)
        self.assertIn("argument 1", str(caught.exception))

    def test_many_calls_give_their_answers_in_order_and_errors_each(self):
        requests = [Request("compute", "method", (number, 1)) for number in range(50)]
        requests[7] = Request("compute", "compute", ("div", 1, 0))
        answers = self.rpc.call_many(requests)
        self.assertIsInstance(answers.pop(7), exceptions.RemoteError)
        self.assertEqual(answers, [number + 1 for number in range(50) if number != 7])

    def test_message_is_in_the_users_language(self):
        self.env["res.lang"]._activate_lang("es_ES")
        self.env.ref("base.module_nameko_compute")._update_translations(["es_ES"])
        with self.assertRaises(exceptions.UnknownService) as caught:
            self.rpc.with_context(lang="es_ES").call("nowhere", "method")
        self.assertIn("no conoce el servicio «nowhere»", str(caught.exception))

    def test_error_says_whether_the_service_may_have_run(self):
        for kind, may_have_run in (
            (exceptions.NotConfigured, False),
            (exceptions.ServiceNotAllowed, False),
            (exceptions.UnusableResult, True),
            (exceptions.ResultNotWritten, True),
        ):
            self.assertIs(kind("text").may_have_run, may_have_run)
        for may_have_run in (False, True):
            error = errors.CallTimeout("text", may_have_run=may_have_run)
            self.assertIs(exceptions.CallTimeout("text", error).may_have_run, may_have_run)

    def test_connections_that_are_all_in_use_are_no_fault_of_the_service(self):
        error = errors.PoolExhausted("text", seconds=5, may_have_run=False)
        found = exceptions.user_error(error, self.env)
        self.assertIsInstance(found, exceptions.CallTimeout)
        self.assertIn("pool_size", str(found))
        self.assertFalse(found.may_have_run)

    def test_web_client_shows_our_errors_as_it_shows_a_user_error(self):
        error = exceptions.CallTimeout("late")
        self.assertEqual(error.context["exception_class"], "odoo.exceptions.UserError")
