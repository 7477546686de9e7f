"""Making jobs: what is refused, what is kept, and who may do what with them."""

from datetime import timedelta
from unittest.mock import patch

from odoo import fields
from odoo.addons.nameko_compute.tests.common import ComputationCase
from odoo.addons.nameko_connector.broker.jobs.reply import Reply
from odoo.addons.nameko_connector.exceptions import InvalidJob, NotSendable
from odoo.addons.nameko_connector.job_store import dispatch
from odoo.addons.nameko_connector.job_store.waiting.predecessors import after_failed
from odoo.addons.nameko_connector.models.jobs import nameko_job_callbacks
from odoo.addons.nameko_connector.tests.common import MANAGER, USER
from odoo.addons.nameko_connector.tools.job_request import JobOptions, JobRequest
from odoo.exceptions import AccessError, ValidationError
from odoo.tests import tagged


@tagged("post_install", "-at_install")
class TestJobs(ComputationCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.user = cls.new_user("job_user", USER)
        cls.colleague = cls.new_user("job_colleague", USER)
        cls.manager = cls.new_user("job_manager", MANAGER)

    def setUp(self):
        super().setUp()
        self.record = (
            self.env["nameko.compute"].with_user(self.user).create({"value": 1, "other": 2})
        )
        self.rpc = self.record.env["nameko.rpc"]

    def delay(self, **options):
        return self.rpc.delay("compute", "method", 1, 2, **options)

    def answer(self, *jobs, text="3", result=3):
        replies = [Reply(job.uuid, text, result) for job in jobs]
        applied = self.env["nameko.job"].apply_replies(replies)
        self.env["nameko.job"].invalidate_model()
        return applied.unknown

    def test_job_keeps_what_was_asked(self):
        job = self.delay(record=self.record, result_field="value", priority=3, timeout=7)
        self.assertEqual(job.arguments, '{"args": [1, 2], "kwargs": {}}')
        self.assertEqual((job.state, job.priority, job.timeout), ("pending", 3, 7))
        self.assertEqual((job.user_id, job.company_id), (self.user, self.env.company))
        self.assertEqual(job.res_id, self.record.id)

    def test_wrong_options_are_refused(self):
        foreign = {"record": self.env["res.users"].browse(self.user.id), "on_result": "unlink"}
        for options in (
            {"result_field": "value"},
            {"record": self.record, "result_field": "nothing"},
            {"record": self.record, "on_result": "unlink"},
            {"record": self.record, "on_error": "_on_nothing"},
            {"record": self.record, "on_result": "_on_computed", "result_field": "value"},
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

    def test_names_that_the_broker_has_no_room_for_are_refused(self):
        for service, method in (("x" * 249, "m"), ("é" * 125, "m"), ("x" * 240, "m" * 15)):
            with self.assertRaises(NotSendable):
                self.rpc.delay(service, method)
            with self.assertRaises(ValidationError), self.env.cr.savepoint():
                self.env["ir.actions.server"].create(
                    {
                        "name": "Too long",
                        "model_id": self.env["ir.model"]._get_id("nameko.compute"),
                        "state": "nameko",
                        "nameko_service": service,
                        "nameko_method": method,
                    }
                )
        self.assertTrue(self.rpc.delay("x" * 240, "m" * 14))
        with self.assertRaises(ValidationError), self.env.cr.savepoint():
            self.env["nameko.service"].create({"name": "x" * 249})

    def test_record_must_be_writable(self):
        record = self.record.with_user(self.colleague)
        with self.assertRaises(AccessError):
            record.env["nameko.rpc"].delay("a", "b", record=record, result_field="value")

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
        job = self.delay(record=self.record, result_field="value")
        self.assertFalse(self.answer(job))
        self.assertFalse(self.answer(job, text="4", result=4))
        self.assertEqual((self.record.value, job.get_result(), job.state), (3, 3, "done"))

    def test_reply_to_no_job(self):
        self.assertEqual(
            self.env["nameko.job"].apply_replies([Reply("nobody")]).unknown, {"nobody"}
        )

    def test_unusable_result_fails_one_job_of_many(self):
        other = self.record.copy()
        good = self.delay(record=self.record, result_field="value")
        bad = self.delay(record=other, result_field="value")
        replies = [Reply(good.uuid, "3", 3), Reply(bad.uuid, '"three"', "three")]
        self.env["nameko.job"].apply_replies(replies)
        self.env["nameko.job"].invalidate_model()
        self.assertEqual((good.state, bad.state), ("done", "failed"))
        self.assertEqual(bad.error_type, "UnusableResult")
        self.assertEqual((bad.get_result(), other.value), ("three", 1))

    def delete_by_sql(self, record):
        record.flush_recordset()
        self.env.cr.execute("DELETE FROM nameko_compute WHERE id = %s", [record.id])
        self.env.invalidate_all()

    def test_record_that_is_gone_fails_its_job(self):
        expected = f"The record (Computation, ID {self.record.id}) no longer exists."
        jobs = [
            self.delay(record=self.record, result_field="value"),
            self.delay(record=self.record, on_result="_on_computed"),
        ]
        self.delete_by_sql(self.record)
        with patch.object(nameko_job_callbacks._logger, "info") as info:
            self.answer(*jobs)
        self.assertEqual([each.kwargs for each in info.call_args_list], [{"exc_info": False}] * 2)
        for job in jobs:
            self.assertEqual((job.state, job.error_type), ("failed", "MissingError"))
            self.assertEqual(job.error_message, expected)

    def test_result_of_a_job_that_counted_as_not_sent_proves_an_attempt(self):
        jobs = self.delay() + self.delay()
        dispatch.mark_sent(self.env.cr, jobs.ids)
        dispatch.mark_unsent(self.env.cr, jobs.ids)
        jobs.invalidate_recordset()
        self.assertEqual(set(jobs.mapped("attempts")), {0})
        self.answer(jobs[0])
        jobs[1].action_cancel()
        self.assertEqual(jobs.mapped("state"), ["done", "cancelled"])
        self.assertEqual(jobs.mapped("attempts"), [1, 0])

    def test_cancelled_job_takes_no_result(self):
        job = self.delay(record=self.record, result_field="value")
        job.action_cancel()
        self.answer(job)
        self.assertEqual((job.state, self.record.value), ("cancelled", 1))

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
        self.env["nameko.job"].apply_replies(after_failed(self.env.cr, second.ids))
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
