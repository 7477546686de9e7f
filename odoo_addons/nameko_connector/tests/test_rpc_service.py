"""Services as objects: `env["nameko.rpc"].service("pricing", priority=5).delay.quote(7)`."""

import copy
from datetime import datetime

from odoo.tests import tagged

from ..broker.amqp.request import Request
from ..exceptions import InvalidCall, InvalidJob, NotSendable
from ..testing import answered_calls
from ..tools.job_request import JobOptions, JobRequest
from .common import USER, ConnectorCase

NAMED_AS_OPTIONS = {"timeout": 3, "priority": "high", "service": "x", "method": "y", "self": 1}


@tagged("post_install", "-at_install")
class TestService(ConnectorCase):
    def setUp(self):
        super().setUp()
        user = self.new_user("service_user", USER, "base.group_partner_manager")
        self.partner = self.env["res.partner"].with_user(user).create({"name": "Floor"})
        self.rpc = self.partner.env["nameko.rpc"]

    def test_call(self):
        with answered_calls({"pricing.quote": 42}) as calls:
            self.assertEqual(self.rpc.service("pricing").call.quote(7, qty=3), 42)
        self.assertEqual(calls, [Request("pricing", "quote", (7,), {"qty": 3})])

    def test_call_of_the_real_service(self):
        self.assertEqual(self.rpc.service("compute", timeout=20).call.method(1, value2=2), 3)

    def test_timeout_is_that_of_the_call(self):
        with self.assertRaisesRegex(InvalidCall, "^compute.method: timeout is 'soon'; give a num"):
            self.rpc.service("compute", timeout="soon").call.method(1, 2)

    def test_delay_makes_the_same_job_as_without_a_service(self):
        options = {
            "record": self.partner, "result_field": "ref", "priority": 5,
            "eta": datetime(2040, 1, 1), "timeout": 7, "max_attempts": 4, "retry_on": ["KeyError"],
            "retry_delays": [1, 2], "after": self.rpc.delay("pricing", "prepare"),
            "results_as": "nothing",
        }  # fmt: skip
        job = self.rpc.service("pricing", identity_key="a", **options).delay.quote(7, qty=3)
        other = self.rpc.delay("pricing", "quote", 7, qty=3, identity_key="b", **options)
        kept = {"service", "method", "arguments", "res_model", "res_id", "user_id", "state"}
        of_jobs = JobOptions.__dataclass_fields__.keys() & job._fields.keys()
        for name in (kept | {"predecessor_ids"} | of_jobs) - {"identity_key"}:
            self.assertEqual(job[name], other[name], name)
        self.assertEqual(job.identity_key, "a")

    def test_arguments_may_have_the_names_of_options(self):
        service = self.rpc.service("pricing", priority=5)
        job = service.delay.quote(**NAMED_AS_OPTIONS)
        self.assertIn('"timeout": 3', job.arguments)
        self.assertEqual((job.priority, job.timeout), (5, 3600))
        self.assertEqual(service.request.quote(**NAMED_AS_OPTIONS).kwargs, NAMED_AS_OPTIONS)
        with answered_calls({"pricing.quote": 42}) as calls:
            self.rpc.service("pricing").call.quote(**NAMED_AS_OPTIONS)
        self.assertEqual(calls, [Request("pricing", "quote", (), NAMED_AS_OPTIONS)])

    def test_requests_of_jobs(self):
        scan = self.rpc.service("scan", priority=5)
        request = scan.request.read(7, pages=2)
        options = JobOptions(priority=5)
        self.assertEqual(request, JobRequest("scan", "read", (7,), {"pages": 2}, options))
        jobs = self.rpc.chain(request, scan.request.translate("es"))
        self.assertEqual(jobs.mapped("priority"), [5, 5])
        self.assertEqual(jobs[1].predecessor_ids, jobs[0])

    def test_other_options(self):
        pricing = self.rpc.service("pricing", priority=5, timeout=7)
        urgent = pricing.with_options(priority=1, timeout=None)
        jobs = urgent.delay.quote(1) + pricing.delay.quote(2)
        self.assertEqual(jobs.mapped("priority"), [1, 5])
        self.assertEqual(jobs.mapped("timeout"), [3600, 7])

    def test_wrong_names_of_options_are_refused_at_once(self):
        refused = self.assertRaisesRegex(InvalidCall, "^pricing: there is no option prio; .*prior")
        with refused:
            self.rpc.service("pricing", prio=5)
        with refused:
            self.rpc.service("pricing").with_options(prio=5)

    def test_wrong_values_of_options_are_refused(self):
        with self.assertRaisesRegex(InvalidJob, "^pricing.quote: priority is 'high'; give a"):
            self.rpc.service("pricing", priority="high").delay.quote()

    def test_options_of_jobs_are_refused_by_calls(self):
        refused = self.assertRaisesRegex(InvalidCall, "^pricing.quote: priority is an option of j")
        with answered_calls({"pricing.quote": 42}) as calls:
            with refused:
                self.rpc.service("pricing", priority=5, timeout=7).call.quote()
            self.assertEqual(calls, [])
            self.assertEqual(self.rpc.service("pricing", priority=None).call.quote(), 42)

    def test_recordset_is_no_argument(self):
        for methods in (self.rpc.service("pricing").call, self.rpc.service("pricing").delay):
            with self.assertRaises(NotSendable):
                methods.quote(self.partner)

    def test_names_of_python_are_no_methods(self):
        service = self.rpc.service("pricing", priority=5)
        for methods in (service.call, service.delay, service.request):
            for name in ("_quote", "__quote__"):
                with self.assertRaisesRegex(AttributeError, "begins with _"):
                    getattr(methods, name)
            self.assertFalse(hasattr(methods, "_repr_html_"))
        self.assertEqual(copy.copy(service.request).quote(7), service.request.quote(7))
