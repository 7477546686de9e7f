"""Making jobs: what is refused, what is kept, and who may do what with them."""

from datetime import timedelta

from odoo import fields
from odoo.exceptions import AccessError
from odoo.tests import tagged

from ..broker.jobs_reply import Reply
from ..exceptions import InvalidJob, NotSendable
from ..job_request import JobOptions, JobRequest
from .common import MANAGER, USER, ComputationCase


@tagged("post_install", "-at_install")
class TestJobs(ComputationCase):
    def setUp(self):
        super().setUp()
        self.user = self.new_user("job_user", USER)
        self.colleague = self.new_user("job_colleague", USER)
        self.manager = self.new_user("job_manager", MANAGER)
        self.record = (
            self.env["nameko.compute"].with_user(self.user).create({"value": 1, "other": 2})
        )
        self.rpc = self.record.env["nameko.rpc"]

    def delay(self, **options):
        return self.rpc.delay("compute", "method", 1, 2, **options)

    def answer(self, *jobs, text="3", result=3):
        replies = [Reply(job.uuid, text, result) for job in jobs]
        unknown = self.env["nameko.job"].apply_replies(replies)
        self.env["nameko.job"].invalidate_model()
        return unknown

    def test_job_keeps_what_was_asked(self):
        job = self.delay(record=self.record, result_field="result", priority=3, timeout=7)
        self.assertEqual(job.arguments, '{"args": [1, 2], "kwargs": {}}')
        self.assertEqual((job.state, job.priority, job.timeout), ("pending", 3, 7))
        self.assertEqual((job.user_id, job.company_id), (self.user, self.env.company))
        self.assertEqual(job.res_id, self.record.id)

    def test_wrong_options_are_refused(self):
        foreign = {"record": self.env["res.users"].browse(self.user.id), "on_result": "unlink"}
        for options in (
            {"result_field": "result"},
            {"record": self.record, "result_field": "nothing"},
            {"record": self.record, "on_result": "unlink"},
            {"record": self.record, "on_error": "_on_nothing"},
            {"record": self.record, "on_result": "_on_computed", "result_field": "result"},
            {"timeout": 0},
            {"max_attempts": 0},
            foreign,
        ):
            with self.assertRaises(InvalidJob, msg=options):
                self.delay(**options)
        self.assertFalse(self.env["nameko.job"].search([("user_id", "=", self.user.id)]))

    def test_recordset_is_no_argument(self):
        with self.assertRaises(NotSendable):
            self.rpc.delay("compute", "method", self.record, 2)

    def test_record_must_be_writable(self):
        record = self.record.with_user(self.colleague)
        with self.assertRaises(AccessError):
            record.env["nameko.rpc"].delay("a", "b", record=record, result_field="result")

    def test_identity_key_gives_the_live_job(self):
        first = self.delay(identity_key="only one")
        again, other = self.rpc.delay_many(
            JobRequest("compute", "method", options=JobOptions(identity_key=key))
            for key in ("only one", "another")
        )
        self.assertEqual(again, first)
        self.assertNotEqual(other, first)
        self.answer(first)
        self.assertNotEqual(self.delay(identity_key="only one"), first)

    def test_eta(self):
        tomorrow = fields.Datetime.now() + timedelta(days=1)
        job = self.delay(eta=tomorrow)
        self.assertEqual((job.eta, job.is_ready), (tomorrow, False))

    def test_result_is_written_once(self):
        job = self.delay(record=self.record, result_field="result")
        self.assertFalse(self.answer(job))
        self.assertFalse(self.answer(job, text="4", result=4))
        self.assertEqual((self.record.result, job.get_result(), job.state), (3, 3, "done"))

    def test_reply_to_no_job(self):
        self.assertEqual(self.env["nameko.job"].apply_replies([Reply("nobody")]), {"nobody"})

    def test_unusable_result_fails_one_job_of_many(self):
        other = self.record.copy()
        good = self.delay(record=self.record, result_field="result")
        bad = self.delay(record=other, result_field="result")
        replies = [Reply(good.uuid, "3", 3), Reply(bad.uuid, '"three"', "three")]
        self.env["nameko.job"].apply_replies(replies)
        self.env["nameko.job"].invalidate_model()
        self.assertEqual((good.state, bad.state), ("done", "failed"))
        self.assertEqual(bad.error_type, "UnusableResult")
        self.assertEqual((bad.get_result(), other.result), ("three", 0))

    def test_deleted_record_fails_its_job(self):
        job = self.delay(record=self.record, result_field="result")
        self.record.unlink()
        self.answer(job)
        self.assertEqual((job.state, job.error_type), ("failed", "MissingError"))

    def test_cancelled_job_takes_no_result(self):
        job = self.delay(record=self.record, result_field="result")
        job.action_cancel()
        self.answer(job)
        self.assertEqual((job.state, self.record.result), ("cancelled", 0))

    def test_retried_job_begins_anew(self):
        job = self.delay()
        job.action_cancel()
        job.action_retry()
        self.assertEqual((job.state, job.is_ready, job.attempts), ("pending", True, 0))
        self.assertFalse(job.error_type)

    def test_cancelled_predecessor_fails_its_followers(self):
        first = self.delay()
        second = self.delay(after=first)
        self.assertTrue(second.is_waiting)
        first.action_cancel()
        self.env["nameko.job"].fail_forsaken()
        self.env["nameko.job"].invalidate_model()
        self.assertEqual((second.state, second.error_type), ("failed", "PredecessorFailed"))

    def test_job_after_a_finished_one_is_ready(self):
        first = self.delay()
        self.answer(first)
        self.assertTrue(self.delay(after=first).is_ready)

    def test_nobody_makes_or_alters_jobs_by_hand(self):
        job = self.delay()
        for user in (self.user, self.manager, self.env.ref("base.user_admin")):
            mine = job.with_user(user)
            for attempt in (
                lambda mine=mine: mine.create({"service": "compute", "method": "method"}),
                lambda mine=mine: mine.write({"service": "other"}),
                lambda mine=mine: mine.copy(),
                lambda mine=mine: mine.unlink(),
            ):
                with self.assertRaises(AccessError):
                    attempt()

    def test_users_see_and_touch_their_own(self):
        job = self.delay()
        self.assertIn(job, job.with_user(self.user).search([]))
        self.assertNotIn(job, job.with_user(self.colleague).search([]))
        with self.assertRaises(AccessError):
            job.with_user(self.colleague).action_cancel()
        job.with_user(self.manager).action_cancel()
        self.assertEqual(job.state, "cancelled")

    def test_manager_of_another_company_sees_nothing(self):
        company = self.env["res.company"].create({"name": "Elsewhere"})
        stranger = self.new_user("job_stranger", MANAGER, company=company)
        job = self.delay()
        self.assertNotIn(job, job.with_user(stranger).search([]))
        with self.assertRaises(AccessError):
            job.with_user(stranger).action_cancel()

    def test_manager_reschedules(self):
        job = self.delay()
        tomorrow = fields.Datetime.now() + timedelta(days=1)
        values = {"job_ids": [(6, 0, job.ids)], "priority": 1, "eta": tomorrow}
        wizards = self.env["nameko.job.reschedule"]
        with self.assertRaises(AccessError):
            wizards.with_user(self.user).create(values)
        wizards.with_user(self.manager).create(values).action_reschedule()
        self.assertEqual((job.priority, job.eta, job.is_ready), (1, tomorrow, False))

    def test_old_jobs_are_deleted_but_for_those_still_needed(self):
        done, needed, young = (self.delay() for _ in range(3))
        self.delay(after=needed + self.delay())
        self.answer(done, needed, young)
        self.env.cr.execute(
            "UPDATE nameko_job SET done_at = done_at - interval '31 days' WHERE id = ANY(%s)",
            [(done + needed).ids],
        )
        self.env["nameko.job"]._gc_finished()
        self.assertEqual((done + needed + young).exists(), needed + young)


@tagged("post_install", "-at_install")
class TestComputeLater(ComputationCase):
    def answer(self, record, reply):
        self.env["nameko.job"].apply_replies([reply(record.job_id.uuid)])
        record.invalidate_recordset()

    def test_queued_computation_is_done_later(self):
        record = self.computation(40, 2)
        record.action_compute_later()
        self.assertEqual((record.state, record.nameko_job_count), ("queued", 1))
        self.answer(record, lambda uuid: Reply(uuid, "42", 42))
        self.assertEqual((record.state, record.result), ("done", 42))

    def test_unusable_answer_fails_the_computation(self):
        record = self.computation(40, 2)
        record.action_compute_later()
        self.answer(record, lambda uuid: Reply(uuid, "[]", []))
        self.assertEqual((record.state, record.result), ("failed", 0))

    def test_cancelled_job_fails_its_computation(self):
        record = self.computation(40, 2)
        record.action_compute_later()
        record.job_id.action_cancel()
        self.assertEqual(record.state, "failed")
        self.assertIn("Cancelled", record.error)

    def test_scheduled_action_queues_drafts_as_their_owners(self):
        user = self.new_user("cron_user", USER)
        record = self.env["nameko.compute"].with_user(user).create({"value": 1, "other": 2})
        self.env["nameko.compute"]._cron_compute_pending()
        self.assertEqual((record.state, record.job_id.user_id), ("queued", user))
