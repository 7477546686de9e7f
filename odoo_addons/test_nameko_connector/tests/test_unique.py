"""Identity keys that stay in use for a time, and what a second job with a key does."""

from datetime import timedelta

from odoo.addons.nameko_connector.broker.jobs.reply import Reply
from odoo.addons.nameko_connector.exceptions import InvalidJob
from odoo.addons.nameko_connector.job_store.answers import ask_again, lock_free_rows
from odoo.addons.nameko_connector.job_store.late import retry_unanswered
from odoo.addons.nameko_connector.tools.job_request import JobOptions, JobRequest
from odoo.tests import tagged

from .test_trap_jobs_perform import PerformCase


class UniqueCase(PerformCase):
    def unique(self, *args, **options):
        options = {"identity_key": "quote:7", "unique_for": 3600, **options}
        return self.rpc.delay("pricing", "quote", *args, **options)

    def made(self, job, ago):
        """Have a job be made so long ago."""
        self.env.cr.execute(
            "UPDATE nameko_job SET create_date = create_date - %s WHERE id = %s", [ago, job.id]
        )


@tagged("post_install", "-at_install")
class TestUnique(UniqueCase):
    def test_a_done_job_counts_for_its_time(self):
        job = self.unique(unique_for=timedelta(hours=1))
        self.assertEqual(self.unique(), job)
        self.perform(42)
        self.assertEqual((self.unique(), job.state), (job, "done"))
        self.made(job, timedelta(minutes=59))
        self.assertEqual(self.unique(), job)
        self.made(job, timedelta(minutes=1))
        other = self.unique()
        self.assertNotEqual(other, job)
        self.perform(42)
        self.assertEqual(self.unique(), other)

    def test_the_time_is_that_of_the_new_job(self):
        job = self.unique(unique_for=60)
        self.perform(42)
        self.made(job, timedelta(minutes=30))
        self.assertEqual(self.unique(unique_for=3600), job)
        self.assertNotEqual(self.unique(unique_for=60), job)

    def test_an_unfinished_job_counts_however_old(self):
        job = self.unique()
        self.made(job, timedelta(days=1))
        self.assertEqual(self.unique(), job)

    def test_a_job_that_has_failed_or_was_cancelled_does_not_count(self):
        failed = self.unique()
        self.perform(LookupError("no stock"))
        cancelled = self.unique()
        cancelled.action_cancel()
        last = self.unique()
        self.assertEqual(len(failed | cancelled | last), 3)

    def test_only_jobs_with_the_option_count_when_they_are_done(self):
        job = self.unique(unique_for=None)
        self.perform(42)
        unique = self.unique()
        self.assertNotEqual(unique, job)
        self.perform(42)
        self.assertNotEqual(self.unique(unique_for=None), unique)

    def test_many_at_once(self):
        job = self.unique()
        self.perform(42)
        keys = ("quote:7", "quote:8", "quote:8", None)
        options = [JobOptions(identity_key=key, unique_for=key and 3600) for key in keys]
        jobs = self.rpc.delay_many(JobRequest("pricing", "quote", options=each) for each in options)
        self.assertEqual((jobs[0], jobs[1], len(set(jobs.ids))), (job, jobs[2], 3))

    def test_without_a_key(self):
        for options in ({"unique_for": 60}, {"on_match": "replace"}):
            with self.assertRaisesRegex(InvalidJob, "^pricing.quote: .* need an identity_key"):
                self.job(**options)

    def test_the_trap_compares_it(self):
        job = self.unique(7)
        options = {"identity_key": "quote:7", "on_match": "replace"}
        found = self.trap.assert_delayed("pricing", "quote", 7, unique_for=3600, **options)
        self.assertEqual(found, job.sudo())
        with self.assertRaisesRegex(AssertionError, "unique_for=3600"):
            self.trap.assert_delayed("pricing", "quote", 7, unique_for=60, **options)


@tagged("post_install", "-at_install")
class TestReplace(UniqueCase):
    def replace(self, *args, **options):
        return self.unique(*args, on_match="replace", **options)

    def assert_result(self, job, result):
        """Check that the service gets and returns these arguments."""
        self.perform(lambda *args: list(args))
        self.assertEqual((job.state, job.get_result()), ("done", result))

    def test_the_arguments_of_a_job_that_was_not_sent(self):
        job = self.unique(1)
        self.assertEqual((self.unique(2), self.replace(3), self.replace(4)), (job, job, job))
        self.assertIn("[4]", job.arguments)
        self.assert_result(job, [4])

    def test_without_a_time(self):
        job = self.replace(1, unique_for=None)
        self.assertEqual(self.replace(2, unique_for=None), job)
        self.assert_result(job, [2])

    def test_the_last_of_many_counts(self):
        options = JobOptions(identity_key="quote:7", on_match="replace")
        jobs = self.rpc.delay_many(
            JobRequest("pricing", "quote", [number], options=options) for number in range(3)
        )
        self.assertEqual(len(set(jobs.ids)), 1)
        self.assert_result(jobs[0], [2])

    def test_not_of_a_job_that_was_sent(self):
        job = self.sent(self.unique(1))
        self.assertEqual(self.replace(2), job)
        self.assertIn("[1]", job.arguments)
        self.answer(Reply(job.uuid, "1", 1, attempt=1))
        self.assertEqual((self.replace(2), job.state), (job, "done"))
        self.assertIn("[1]", job.arguments)

    def test_not_of_a_job_that_is_tried_or_asked_again(self):
        for tries in (1, 2):
            job = self.sent(self.replace(1, identity_key=f"quote:{tries}"))
            if tries == 1:
                retry_unanswered(self.env.cr, job.ids)
            else:
                rows, _locked = lock_free_rows(self.env.cr, [job.uuid])
                self.assertTrue(ask_again(self.env.cr, rows[job.uuid], 30, None))
            self.env.invalidate_all()
            self.assertEqual(job.state, "pending")
            self.assertEqual(self.replace(2, identity_key=f"quote:{tries}"), job)
            self.assertIn("[1]", job.arguments)

    def test_not_of_a_job_that_does_something_else(self):
        job = self.unique(1, record=self.record, result_field="name")
        other = self.record.copy()
        for options in (
            {}, {"record": other, "result_field": "name"},
            {"record": self.record, "on_result": "_on_heard"},
        ):  # fmt: skip
            self.assertEqual(self.replace(2, **options), job)
        keys = {"identity_key": "quote:7", "on_match": "replace"}
        self.rpc.delay("pricing", "add", 2, record=self.record, result_field="name", **keys)
        self.assertIn("[1]", job.arguments)
        self.assertEqual(self.replace(2, record=self.record, result_field="name"), job)
        self.assertIn("[2]", job.arguments)

    def test_the_answer_to_replaced_arguments_does_not_count(self):
        """A relay may end after it has published a request, and before that is counted."""
        job = self.unique(1)
        self.replace(2)
        self.answer(Reply(job.uuid, "1", 1, attempt=1))
        self.assertEqual(job.state, "pending")
        self.assert_result(job, [2])
