"""What a job shows: its failed attempts, why it waits, and its record."""

import json

from odoo import fields
from odoo.addons.nameko_compute.tests.common import ComputationCase
from odoo.addons.nameko_connector.broker.jobs.reply import Reply
from odoo.addons.nameko_connector.job_store import late, routes
from odoo.addons.nameko_connector.job_store.dispatch import mark_sent, mark_unroutable
from odoo.addons.nameko_connector.job_store.rows import Lost
from odoo.addons.nameko_connector.tests.common import MANAGER, USER
from odoo.exceptions import AccessError, UserError
from odoo.tests import tagged

STOCK = {
    "exc_type": "LookupError",
    "value": "no stock for product 7",
    "instance": "host-a:4711",
    "traceback": 'File "pricing.py", line 7, in quote',
}


class JobCase(ComputationCase):
    def setUp(self):
        super().setUp()
        self.user = self.new_user("attempts_user", USER)
        self.manager = self.new_user("attempts_manager", MANAGER)
        self.record = self.env["nameko.compute"].with_user(self.user).create(
            {"name": "Floor", "value": 1, "other": 2}
        )  # fmt: skip
        self.rpc = self.record.env["nameko.rpc"]

    def job(self, **options):
        return self.rpc.delay("pricing", "quote", 1, currency="EUR", **options)

    def sent(self, job):
        mark_sent(self.env.cr, job.ids)
        job.invalidate_recordset()
        return job

    def answer(self, *events):
        self.env["nameko.job"].apply_replies(events)
        self.env.invalidate_all()

    def attempts(self, job):
        return [(each.number, each.error_type) for each in job.attempt_ids.sorted("number")]


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
        late.retry_unknown(self.env.cr)
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


@tagged("post_install", "-at_install")
class TestOtherArguments(JobCase):
    def wizard(self, job, **values):
        wizards = self.env["nameko.job.retry"].with_user(self.manager)
        return wizards.with_context(active_id=job.id).create(values)

    def failed(self):
        job = self.sent(self.job(max_attempts=1))
        self.answer(Reply(job.uuid, error=STOCK, attempt=1))
        return job

    def test_it_begins_with_what_was_sent(self):
        wizard = self.wizard(self.failed())
        self.assertEqual(json.loads(wizard.positional), [1])
        self.assertEqual(json.loads(wizard.named), {"currency": "EUR"})

    def test_the_job_runs_again_with_others(self):
        job = self.failed()
        self.wizard(job, positional="[2]", named='{"day": "é"}').action_retry()
        job.invalidate_recordset()
        self.assertEqual((job.state, job.user_id), ("pending", self.user))
        self.assertEqual(json.loads(job.arguments), {"args": [2], "kwargs": {"day": "é"}})

    def test_values_of_other_types_stay_what_they_are(self):
        job = self.sent(self.rpc.delay("pricing", "quote", fields.Date.today(), max_attempts=1))
        self.answer(Reply(job.uuid, error=STOCK, attempt=1))
        before = json.loads(job.arguments)
        self.wizard(job).action_retry()
        job.invalidate_recordset()
        self.assertEqual(json.loads(job.arguments), before)

    def test_what_is_wrong_is_said_and_nothing_happens(self):
        job = self.failed()
        for named in ("{", "[]", "null", '{"x": NaN}', '{"x": "\\ud800"}', "[" * 2000, '{"x":1,}'):
            with self.subTest(named=named[:20]), self.assertRaises(UserError):
                self.wizard(job, named=named).action_retry()
        self.assertEqual(job.state, "failed")

    def test_a_job_that_has_not_failed_stays(self):
        done, failed = self.sent(self.job()), self.failed()
        self.answer(Reply(done.uuid, "3", 3))
        later = self.job(after=done | failed)
        self.answer(Lost(later.uuid, "predecessor"))
        before = done.arguments
        for job in (done, self.job()):
            with self.assertRaises(UserError), self.env.cr.savepoint():
                self.wizard(job, positional='["forged"]').action_retry()
        self.env.invalidate_all()
        self.assertEqual((done.arguments, later.state), (before, "failed"))

    def test_nobody_learns_of_a_job_that_they_may_not_read(self):
        elsewhere = self.env["res.company"].create({"name": "Elsewhere"})
        job = self.failed()
        self.manager = self.new_user("attempts_stranger", MANAGER, company=elsewhere)
        with self.assertRaises(AccessError), self.env.cr.savepoint():
            self.env["nameko.job.retry"].with_user(self.manager).create(
                {"job_id": job.id, "positional": "[]", "named": "{}"}
            )
        with self.assertRaises(AccessError):
            self.wizard(job)

    def test_nobody_has_written_what_they_may_not_write(self):
        """The result would be written with the rights of the user who asked."""
        company = self.env.company
        rpc = self.env(user=self.env.ref("base.user_admin"))["nameko.rpc"]
        job = rpc.delay(
            "pricing", "quote", 1, record=company, result_field="sequence", max_attempts=1
        )
        self.answer(Reply(self.sent(job).uuid, error=STOCK, attempt=1))
        with self.assertRaises(AccessError):
            self.wizard(job, positional="[6666]").action_retry()
        self.assertEqual(job.state, "failed")

    def test_an_odd_context_is_no_job(self):
        wizards = self.env["nameko.job.retry"].with_user(self.manager)
        for odd in ("x", {"a": 1}, True, [1, 2], None):
            values = wizards.with_context(active_id=odd).default_get(["job_id", "named"])
            self.assertFalse(values.get("job_id"))

    def test_repeated_ids_count_once(self):
        job = self.failed()
        message = job.browse([job.id] * 3).action_retry()["params"]["message"]
        self.assertEqual(message, "1 job will run again.")


@tagged("post_install", "-at_install")
class TestTexts(JobCase):
    def shown(self, result):
        job = self.sent(self.job())
        self.answer(Reply(job.uuid, text=json.dumps(result), result=result, attempt=1))
        return job.shown_result

    def test_arguments_are_lines_with_their_names(self):
        self.assertEqual(self.job().shown_arguments, '1\ncurrency = "EUR"')

    def test_results_are_laid_out(self):
        self.assertEqual(self.shown({"quote": "größer"}), '{\n  "quote": "größer"\n}')
        self.assertEqual(self.shown(None), "null")
        self.assertFalse(self.job().shown_result)

    def test_of_long_ones_the_beginning_is_shown(self):
        for length in (30_000, 3_000_000):
            shown = self.shown("x" * length)
            self.assertLess(len(shown), 20_100)
            self.assertIn("more characters)", shown)

    def test_what_is_no_text_is_marked(self):
        self.assertEqual(self.shown("\ud800\0x"), '"\ufffd\\u0000x"')

    def test_deep_ones_are_shown(self):
        deep = self.job()
        deep.sudo().arguments = "[" * 50_000 + "]" * 50_000
        self.assertTrue(deep.shown_arguments.startswith("[["))
