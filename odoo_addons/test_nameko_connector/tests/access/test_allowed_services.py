"""The settings narrow which services may be called, by whatever way."""

from odoo.addons.nameko_compute.tests.common import ComputationCase
from odoo.addons.nameko_connector.broker.amqp.request import Request
from odoo.addons.nameko_connector.exceptions import ServiceNotAllowed
from odoo.addons.nameko_connector.testing import answered_calls
from odoo.addons.nameko_connector.tests.common import USER
from odoo.addons.nameko_connector.tools.job_request import JobRequest
from odoo.tests import tagged


@tagged("post_install", "-at_install")
class TestAllowedServices(ComputationCase):
    def setUp(self):
        super().setUp()
        self.rpc = self.env["nameko.rpc"]
        self.allow("pricing, stock")

    def allow(self, names):
        self.env["ir.config_parameter"].sudo().set_param("nameko_connector.allowed_services", names)

    def test_call(self):
        with answered_calls({"pricing.quote": 1, "bank.pay": 2}) as calls:
            self.assertEqual(self.rpc.call("pricing", "quote"), 1)
            with self.assertRaisesRegex(ServiceNotAllowed, "bank"):
                self.rpc.call("bank", "pay")
        self.assertEqual([call.service for call in calls], ["pricing"])

    def test_call_many_gives_the_error_in_its_place(self):
        requests = [Request("bank", "pay"), Request("stock", "take"), Request("bank", "pay")]
        with answered_calls({"stock.take": 1, "bank.pay": 2}) as calls:
            first, second, third = self.rpc.call_many(requests)
        self.assertIsInstance(first, ServiceNotAllowed)
        self.assertEqual(second, 1)
        self.assertIsInstance(third, ServiceNotAllowed)
        self.assertEqual(len(calls), 1)

    def test_delay(self):
        self.assertEqual(self.rpc.delay("pricing", "quote").service, "pricing")
        with self.assertRaises(ServiceNotAllowed):
            self.rpc.delay("bank", "pay")

    def test_delay_many_makes_no_job_where_one_is_not_allowed(self):
        before = self.env["nameko.job"].search_count([])
        with self.assertRaises(ServiceNotAllowed):
            self.rpc.delay_many([JobRequest("pricing", "quote"), JobRequest("bank", "pay")])
        self.assertEqual(self.env["nameko.job"].search_count([]), before)

    def test_retry_of_a_job_that_was_allowed_once(self):
        job = self.rpc.delay("pricing", "quote")
        job.action_cancel()
        self.allow("stock")
        message = job.action_retry()["params"]["message"]
        self.assertIn("1 skipped: their service may not be called any more.", message)
        self.assertEqual(job.state, "cancelled")
        self.allow("pricing")
        job.action_retry()
        self.assertEqual(job.state, "pending")

    def test_button(self):
        with self.assertRaises(ServiceNotAllowed):
            self.computation(1, 2).action_suma()

    def test_users_are_bound_too(self):
        user = self.new_user("bound", USER)
        with self.assertRaises(ServiceNotAllowed):
            self.rpc.with_user(user).delay("bank", "pay")

    def test_names_must_be_the_same_to_the_letter(self):
        for name in ("Pricing", "pricing2", "pric", " pricing", "pricing, stock", ""):
            with self.assertRaises(ServiceNotAllowed):
                self.rpc._check_allowed(name)

    def test_nothing_listed_allows_all(self):
        for nothing in ("", False, " "):
            self.allow(nothing)
            self.rpc._check_allowed("bank")

    def test_commas_alone_allow_none(self):
        for commas in (",", " , "):
            self.allow(commas)
            with self.assertRaises(ServiceNotAllowed):
                self.rpc._check_allowed("bank")

    def test_no_query_is_made_for_it(self):
        self.rpc._check_allowed("pricing")
        with self.assertQueryCount(0):
            self.rpc._check_allowed("pricing")
