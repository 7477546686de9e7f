"""What a job shows: its failed attempts, why it waits, and its record."""

from odoo import fields
from odoo.addons.nameko_connector.broker.jobs.reply import Reply
from odoo.addons.nameko_connector.job_store import late, routes
from odoo.addons.nameko_connector.job_store.dispatch import mark_unroutable
from odoo.addons.nameko_connector.job_store.rows import Lost
from odoo.addons.nameko_connector.tests.common import USER
from odoo.tests import tagged

from .job_case import STOCK, JobCase


@tagged("post_install", "-at_install")
class TestAttempts(JobCase):
    def test_each_failed_attempt_is_kept(self):
        job = self.sent(self.job(retry_on=["LookupError"], max_attempts=2))
        self.answer(Reply(job.uuid, error=STOCK, attempt=1))
        self.answer(Reply(self.sent(job).uuid, error=STOCK, attempt=2))
        self.assertEqual(job.state, "failed")
        self.assertEqual(self.attempts(job), [(1, "LookupError"), (2, "LookupError")])
        attempt = job.attempt_ids[0]
        self.assertIn("no stock for product 7", attempt.reason)
        self.assertEqual(attempt.instance, "host-a:4711")
        self.assertTrue(attempt.sent_at <= attempt.ended_at)

    def test_a_retry_keeps_them(self):
        job = self.sent(self.job(max_attempts=1))
        self.answer(Reply(job.uuid, error=STOCK, attempt=1))
        job.action_retry()
        self.answer(Reply(self.sent(job).uuid, "3", 3))
        self.assertEqual((job.state, self.attempts(job)), ("done", [(1, "LookupError")]))

    def test_a_success_leaves_none(self):
        job = self.sent(self.job())
        self.answer(Reply(job.uuid, "3", 3))
        self.assertEqual((job.state, self.attempts(job)), ("done", []))

    def test_no_answer_is_one_in_words(self):
        job = self.sent(self.job(max_attempts=2))
        mark_unroutable(self.env.cr, job.ids)
        late.retry_unroutable(self.env.cr)
        job.invalidate_recordset()
        self.assertEqual(self.attempts(job), [(1, "UnknownService")])
        self.assertIn("no queue", job.attempt_ids.reason)
        self.answer(Lost(self.sent(job).uuid, "timeout", 2))
        self.assertEqual(self.attempts(job), [(1, "UnknownService"), (2, "CallTimeout")])

    def test_cancelling_is_none(self):
        job = self.sent(self.job())
        job.action_cancel()
        self.assertFalse(job.attempt_ids)

    def test_a_failure_after_another_job_is_none(self):
        first = self.sent(self.job(max_attempts=1))
        second = self.job(after=first)
        self.answer(Reply(first.uuid, error=STOCK, attempt=1))
        self.answer(Lost(second.uuid, "predecessor"))
        self.assertEqual((second.state, self.attempts(second)), ("failed", []))

    def test_the_traceback_is_for_managers(self):
        job = self.sent(self.job(max_attempts=1))
        self.answer(Reply(job.uuid, error=STOCK, attempt=1))
        of_manager = job.attempt_ids.with_user(self.manager)
        self.assertIn("pricing.py", of_manager.read(["traceback"])[0]["traceback"])
        self.assertNotIn("traceback", job.attempt_ids.with_user(self.user).read()[0])

    def test_what_is_huge_is_cut(self):
        job = self.sent(self.job(max_attempts=1))
        error = {"exc_type": "E", "value": "x" * 50_000, "traceback": "\0y" * 50_000}
        self.answer(Reply(job.uuid, error=error, attempt=1))
        attempt = job.attempt_ids.with_user(self.manager)
        self.assertEqual(len(attempt.error_message), 10_000)
        self.assertEqual(len(attempt.traceback), 10_000)


@tagged("post_install", "-at_install")
class TestReason(JobCase):
    def test_its_time(self):
        job = self.job(eta=fields.Datetime.to_datetime("2100-01-02 03:04:00"))
        self.assertIn("2100", job.reason)
        self.assertIn("Not before", job.reason)

    def test_the_next_attempt(self):
        job = self.sent(self.job(retry_on=["*"], max_attempts=3, retry_delays=[600]))
        self.answer(Reply(job.uuid, error=STOCK, attempt=1))
        self.assertIn("(attempt 2 of 3)", job.reason)

    def test_other_jobs(self):
        first, second = self.sent(self.job()), self.job()
        third = self.job(after=first | second)
        self.answer(Reply(first.uuid, "3", 3))
        self.assertEqual(third.reason, "Waits for other jobs: 1 of 2 are done.")

    def test_a_relay(self):
        self.patch(type(self.env["nameko.job"]), "_relay_runs", lambda _: False)
        self.assertIn("No relay works", self.job().reason)

    def test_a_service_that_is_away(self):
        self.patch(type(self.env["nameko.job"]), "_relay_runs", lambda _: True)
        self.assertEqual(self.job().reason, "Waits for its turn.")
        routes.note_away(self.env.cr, ["pricing"])
        self.env.invalidate_all()
        self.assertIn("has no queue", self.job().reason)

    def test_none_where_it_does_not_wait(self):
        job = self.sent(self.job())
        self.assertFalse(job.reason)
        self.assertGreaterEqual(job.waited, 0)

    def test_how_long_it_has_waited(self):
        job = self.job()
        self.env.cr.execute(
            "UPDATE nameko_job SET create_date = create_date - interval '90 seconds' WHERE id = %s",
            [job.id],
        )
        self.assertAlmostEqual(self.sent(job).waited, 90, delta=30)

    def test_the_record_has_its_name(self):
        job = self.job(record=self.record)
        self.assertEqual(job.record_name, "Floor")
        self.record.sudo().unlink()
        job.invalidate_recordset()
        self.assertFalse(job.record_name)

    def test_no_name_of_a_record_that_the_reader_may_not_see(self):
        parameter = self.env["ir.config_parameter"].create({"key": "secret", "value": "x"})
        job = self.job(record=self.record)
        self.env.cr.execute(
            "UPDATE nameko_job SET res_model = 'ir.config_parameter', res_id = %s WHERE id = %s",
            [parameter.id, job.id],
        )
        job.invalidate_recordset()
        self.assertFalse(job.record_name)
        self.assertEqual(job.sudo().record_name, "secret")


@tagged("post_install", "-at_install")
class TestOutlook(JobCase):
    """What a record says of its unfinished job."""

    def outlook(self):
        self.env.invalidate_all()
        return self.record.nameko_job_outlook

    def test_while_it_waits_and_runs(self):
        self.patch(type(self.env["nameko.job"]), "_relay_runs", lambda _: True)
        self.assertFalse(self.outlook())
        job = self.job(record=self.record)
        self.assertEqual(self.outlook(), "pricing.quote: Waits for its turn.")
        self.sent(job)
        self.assertEqual(self.outlook(), "pricing.quote: sent to the service.")
        job.sudo().progress = 61.8
        self.assertEqual(self.outlook(), "pricing.quote: 62 % done.")
        self.answer(Reply(job.uuid, "3", 3))
        self.assertFalse(self.outlook())

    def test_cancel_on_the_record(self):
        job = self.sent(self.job(record=self.record))
        self.record.action_nameko_cancel()
        self.assertEqual(job.state, "cancelled")

    def test_who_may_see_no_jobs_sees_none(self):
        self.job(record=self.record)
        self.env["ir.rule"].search([("model_id.model", "=", "nameko.compute")]).unlink()
        other = self.new_user("outlook_other", USER)
        record = self.record.with_user(other)
        self.assertFalse(record.nameko_job_outlook)
        record.action_nameko_cancel()
        self.assertTrue(self.outlook())
