"""Jobs that were asked for together: counted, ended once, called back, told once."""

import json

from odoo.addons.nameko_compute.models.nameko_compute import NamekoCompute
from odoo.addons.nameko_connector.broker.jobs.reply import Reply
from odoo.addons.nameko_connector.exceptions import InvalidJob
from odoo.addons.nameko_connector.tools.job_request import JobOptions, JobRequest
from odoo.exceptions import AccessError
from odoo.tests import tagged

from .job_case import STOCK, JobCase


@tagged("post_install", "-at_install")
class TestBatch(JobCase):
    def setUp(self):
        super().setUp()
        self.env["bus.bus"].sudo().search([]).unlink()

    def jobs(self, count=3, **options):
        return self.rpc.delay_many(
            (JobRequest("pricing", "quote", (number,)) for number in range(count)), **options
        )

    def end(self):
        self.env["nameko.batch"]._end()
        self.env.invalidate_all()

    def finish(self, jobs, *, failed=0):
        """Answer these jobs, the last ones with an error."""
        good = len(jobs) - failed
        self.sent(jobs)
        self.answer(
            *[Reply(job.uuid, "3", 3) for job in jobs[:good]],
            *[Reply(job.uuid, error=STOCK) for job in jobs[good:]],
        )

    def messages(self):
        """Take what was sent to browsers of batches."""
        self.env.cr.precommit.run()
        bus = self.env["bus.bus"].sudo().search([])
        messages = [json.loads(each.message) for each in bus]
        bus.unlink()
        return [each["payload"] for each in messages if each["type"] == "nameko_batch"]

    def test_jobs_that_are_asked_for_together_are_one(self):
        jobs = self.jobs(name="Quote them")
        batch = jobs.batch_id
        self.assertEqual((len(batch), batch.name, batch.total), (1, "Quote them", 3))
        self.assertEqual((batch.state, batch.user_id, batch.left_count), ("running", self.user, 3))

    def test_one_job_is_none(self):
        self.assertFalse(self.jobs(1).batch_id)
        self.assertFalse(self.job().batch_id)

    def test_its_name_without_one(self):
        self.assertEqual(self.jobs().batch_id.name, "pricing.quote")
        requests = [JobRequest("pricing", f"m{number}") for number in range(5)]
        name = self.rpc.delay_many(requests).batch_id.name
        self.assertEqual(name, "pricing.m0, pricing.m1, pricing.m2, …")

    def test_a_chain_is_one(self):
        jobs = self.rpc.chain(JobRequest("pricing", "a"), JobRequest("pricing", "b"), name="Both")
        self.assertEqual((jobs.batch_id.name, jobs.batch_id.total), ("Both", 2))

    def test_jobs_that_there_are_already_stay_in_theirs(self):
        requests = [
            JobRequest("pricing", "quote", (1,), {}, JobOptions(identity_key=f"key {number}"))
            for number in range(2)
        ]
        first = self.rpc.delay_many(requests)
        again = self.rpc.delay_many(requests)
        self.assertEqual(again, first)
        self.assertEqual(len(first.batch_id), 1)
        self.assertEqual(self.env["nameko.batch"].search([("total", "=", 0)]).ids, [])

    def test_counts(self):
        jobs = self.jobs(4)
        batch = jobs.batch_id
        self.finish(jobs[:2], failed=1)
        counts = batch.done_count, batch.failed_count, batch.left_count, batch.progress
        self.assertEqual(counts, (1, 1, 2, 50))
        self.assertRegex(batch.outlook, "left|nearly done")

    def test_why_nothing_has_ended_yet(self):
        self.patch(type(self.env["nameko.job"]), "_relay_runs", lambda _: False)
        self.assertIn("No relay works", self.jobs().batch_id.outlook)

    def test_it_ends_with_its_last_job(self):
        jobs = self.jobs()
        batch = jobs.batch_id
        self.finish(jobs[:2])
        self.end()
        self.assertEqual(batch.state, "running")
        self.finish(jobs[2:], failed=1)
        self.end()
        self.assertEqual((batch.state, batch.done, batch.failed), ("failed", 2, 1))
        self.assertTrue(batch.done_at)

    def test_how_it_ended(self):
        done, cancelled = self.jobs(2), self.jobs(2)
        self.finish(done)
        cancelled.batch_id.action_cancel()
        self.end()
        self.assertEqual((done.batch_id.state, cancelled.batch_id.state), ("done", "cancelled"))

    def test_its_counts_stay_when_the_jobs_are_gone(self):
        jobs = self.jobs(2)
        batch = jobs.batch_id
        self.finish(jobs)
        self.end()
        jobs.sudo().unlink()
        batch.invalidate_recordset()
        self.assertEqual((batch.done_count, batch.progress), (2, 100))

    def test_retry_of_what_failed(self):
        jobs = self.jobs()
        batch = jobs.batch_id
        self.finish(jobs, failed=2)
        self.end()
        batch.action_retry()
        self.assertEqual((batch.state, batch.done_at, batch.left_count), ("running", False, 2))
        self.finish(jobs[1:])
        self.end()
        self.assertEqual((batch.state, batch.done), ("done", 3))

    def test_one_message_when_it_begins_and_one_when_it_ends(self):
        jobs = self.jobs(name="Quote them")
        self.assertEqual(self.messages(), [{"begun": jobs.batch_id.id}])
        self.finish(jobs, failed=1)
        self.end()
        self.end()
        (payload,) = self.messages()
        self.assertEqual(
            (payload["name"], payload["done"], payload["failed"]), ("Quote them", 2, 1)
        )
        self.assertIn("no stock for product 7", payload["first"])
        self.assertEqual(self.env[payload["model"]].search(payload["domain"]), jobs[2].sudo())

    def test_who_may_see_no_jobs_is_led_to_the_records(self):
        user = self.new_user("batch_internal", "base.group_user", "base.group_partner_manager")
        partners = self.env["res.partner"].create([{"name": "A"}, {"name": "B"}]).with_user(user)
        jobs = partners.env["nameko.rpc"].delay_many(
            JobRequest("pricing", "quote", (), {}, JobOptions(record=each, result_field="ref"))
            for each in partners
        )
        self.finish(jobs.sudo(), failed=2)
        self.end()
        (payload,) = self.messages()
        self.assertEqual(payload["model"], "res.partner")
        self.assertRegex(payload["first"], "^A: .*no stock")
        self.assertEqual(self.env["res.partner"].search(payload["domain"]), partners.sudo())

    def test_others_do_not_see_it(self):
        batch = self.jobs().batch_id
        self.assertEqual(batch.with_user(self.manager).total, 3)
        other = self.new_user("batch_other", "nameko_connector.group_nameko_user")
        with self.assertRaises(AccessError):
            _ = batch.with_user(other).total
        with self.assertRaises(AccessError):
            batch.with_user(other).action_cancel()
        self.assertEqual(batch.with_user(other).my_running(), [])
        self.assertEqual([each["id"] for each in batch.my_running()], batch.ids)

    # When all is done

    def call_back(self):
        schedule = self.env.ref("nameko_connector.cron_call_back_batches")
        with self.enter_registry_test_mode():  # a copy: Odoo itself runs the other
            schedule.copy().method_direct_trigger()
        self.env.invalidate_all()

    def heard(self, problem=None):
        """Have the record's `_on_quoted` called, and return what it hears."""
        heard = []

        def on_quoted(record, batch):
            heard.append((record.env.uid, record.id, batch.done_count, batch.failed_count))
            record.name = "Quoted"
            if problem:
                raise problem

        NamekoCompute._on_quoted = on_quoted
        self.addCleanup(delattr, NamekoCompute, "_on_quoted")
        return heard

    def test_a_method_hears_of_the_end_once(self):
        heard = self.heard()
        jobs = self.jobs(record=self.record, on_done="_on_quoted")
        self.call_back()
        self.finish(jobs, failed=1)
        self.end()
        self.call_back()
        self.call_back()
        self.assertEqual(heard, [(self.user.id, self.record.id, 2, 1)])
        self.assertEqual(self.record.name, "Quoted")
        self.assertFalse(jobs.batch_id.error)

    def test_its_error_is_kept_and_its_work_undone(self):
        self.heard(ValueError("no paper"))
        jobs = self.jobs(record=self.record, on_done="_on_quoted")
        self.finish(jobs)
        self.end()
        self.call_back()
        self.assertEqual((jobs.batch_id.error, self.record.name), ("no paper", "Floor"))
        self.assertEqual(jobs.batch_id.state, "done")

    def test_a_batch_of_one_can_have_it(self):
        heard = self.heard()
        jobs = self.jobs(1, record=self.record, on_done="_on_quoted")
        self.finish(jobs)
        self.end()
        self.call_back()
        self.assertEqual(len(heard), 1)

    def test_a_batch_of_none_can_have_it(self):
        heard = self.heard()
        self.jobs(0, record=self.record, on_done="_on_quoted")
        self.end()
        self.call_back()
        self.assertEqual(heard, [(self.user.id, self.record.id, 0, 0)])

    def test_what_cannot_be_called_is_refused(self):
        for options in (
            {"on_done": "_on_quoted"},
            {"record": self.record, "on_done": "unlink"},
            {"record": self.record, "on_done": "_on_nothing"},
        ):
            with self.subTest(options=options), self.assertRaises(InvalidJob):
                self.jobs(**options)
