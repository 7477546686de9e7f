"""The helper with which other addons test which jobs they enqueue."""

from datetime import datetime

from odoo.addons.nameko_connector.testing import trap_jobs
from odoo.addons.nameko_connector.tools.job_request import JobOptions, JobRequest
from odoo.tests import tagged

from .jobs.job_case import JobCase

OPTIONS = {
    "record": (),
    "result_field": ("value", "other"),
    "on_result": ("_on_computed", "_on_not_computed"),
    "on_error": ("_on_not_computed", None),
    "priority": (5, 6),
    "eta": (datetime(2040, 1, 1), datetime(2040, 1, 2)),
    "identity_key": ("a", "b"),
    "unique_for": (),
    "limit_key": ("a", "b"),
    "most_at_once": (),
    "on_match": (),
    "timeout": (7, 8),
    "max_attempts": (4, 5),
    "max_again": (4, 5),
    "retry_delays": ([1, 2], [1]),
    "retry_on": (["KeyError", "A"], "KeyError"),
    "after": (),
    "results_as": ("nothing", "list"),
}


@tagged("post_install", "-at_install")
class TestTrap(JobCase):
    def test_jobs_of_the_block_in_their_order(self):
        self.job()
        with trap_jobs(self.env) as trap:
            self.assertFalse(trap.jobs)
            first, second = self.job(priority=2), self.job(priority=1)
            self.assertEqual(trap.jobs, (first + second).sudo())
        self.job()
        self.assertEqual(trap.jobs, (first + second).sudo())

    def test_a_job_that_there_was_already_is_not_trapped(self):
        self.job(identity_key="the same")
        with trap_jobs(self.env) as trap:
            self.job(identity_key="the same")
        self.assertFalse(trap.jobs)

    def test_batches_of_the_block(self):
        with trap_jobs(self.env) as trap:
            jobs = self.rpc.delay_many([JobRequest("pricing", "quote")] * 2)
        self.rpc.delay_many([JobRequest("pricing", "quote")] * 2)
        self.assertEqual(trap.batches, jobs.batch_id.sudo())

    def test_a_trap_in_a_trap(self):
        with trap_jobs(self.env) as outer:
            first = self.job()
            with trap_jobs(self.env) as inner:
                second = self.job()
        self.assertEqual((outer.jobs, inner.jobs), ((first + second).sudo(), second.sudo()))


@tagged("post_install", "-at_install")
class TestAssertDelayed(JobCase):
    def setUp(self):
        super().setUp()
        self.other = self.record.copy()
        self.jobs = self.job(), self.job()
        self.trap = self.enterContext(trap_jobs(self.env))

    def refuses(self, *names, **options):
        with self.assertRaises(AssertionError) as caught:
            self.trap.assert_delayed(*names, **options)
        return str(caught.exception)

    def test_the_job_is_returned(self):
        self.job(priority=3)
        job = self.rpc.delay("pricing", "quote", 2)
        self.assertEqual(self.trap.assert_delayed("pricing", "quote", 2), job.sudo())

    def test_other_arguments_or_names_are_refused(self):
        self.job()  # pricing.quote(1, currency="EUR")
        self.trap.assert_delayed("pricing", "quote", 1, currency="EUR")
        for names, named in (
            (("pricing", "quote", 2), {"currency": "EUR"}),
            (("pricing", "quote", 1), {"currency": "USD"}),
            (("pricing", "quote", 1), {}),
            (("pricing", "quote", 1, 2), {"currency": "EUR"}),
            (("pricing", "other", 1), {"currency": "EUR"}),
            (("prices", "quote", 1), {"currency": "EUR"}),
        ):
            with self.subTest(names=names, named=named):
                self.refuses(*names, **named)

    def test_arguments_are_compared_as_they_are_sent(self):
        self.rpc.delay("pricing", "quote", (1, 2), {3: datetime(2040, 1, 1)})
        self.trap.assert_delayed("pricing", "quote", [1, 2], {"3": datetime(2040, 1, 1)})
        self.refuses("pricing", "quote", [1, 2], {"3": "2040-01-01"})

    def test_each_option_is_compared(self):
        self.assertEqual(set(OPTIONS), set(JobOptions.__dataclass_fields__))
        for name, (value, other) in self.values().items():
            with self.subTest(name=name):
                options = {"record": self.record, name: value}
                job = self.rpc.delay("a", name, **options).sudo()
                self.assertEqual(self.trap.assert_delayed("a", name), job)
                self.assertEqual(self.trap.assert_delayed("a", name, **options), job)
                self.refuses("a", name, **{name: other})

    def values(self):
        """Return two values of each option."""
        first, second = self.jobs
        records = {"record": (self.record, self.other), "after": (first + second, first)}
        others = {name: values for name, values in OPTIONS.items() if values}
        return {**others, **records}

    def test_none_and_two_are_refused(self):
        self.assertEqual(
            self.refuses("pricing", "quote", 1),
            "0 jobs, not 1, are pricing.quote(1). All jobs: none",
        )
        self.job()
        self.job(priority=5)
        text = self.refuses("pricing", "quote", 1, currency="EUR")
        self.assertRegex(
            text, r"^2 jobs, not 1, are pricing.quote\(1, currency='EUR'\)\. All jobs:"
        )
        self.trap.assert_delayed("pricing", "quote", 1, currency="EUR", priority=5)

    def test_the_message_lists_the_jobs_with_the_options_that_were_wanted(self):
        self.job(priority=5)
        text = self.refuses("pricing", "quote", 1, priority=6)
        self.assertIn("are pricing.quote(1) with priority=6.", text)
        self.assertIn("\n- pricing.quote(1, currency='EUR') with priority=5", text)
