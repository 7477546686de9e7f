"""Callbacks that have their job ask the service again, instead of ending it."""

import math
from datetime import timedelta

from odoo import fields
from odoo.addons.nameko_connector import Again
from odoo.addons.nameko_connector.broker.jobs.reply import Reply
from odoo.addons.nameko_connector.job_store.dispatch import wake_due
from odoo.addons.nameko_connector.job_store.late import retry_unanswered
from odoo.addons.nameko_connector.job_store.rows import Lost
from odoo.addons.nameko_connector.tools.parameters import JOB_MAX_AGAIN
from odoo.tests import tagged

from .test_trap_jobs_perform import PerformCase

BUSY = {"exc_type": "LookupError", "value": "busy"}


class AgainCase(PerformCase):
    def setUp(self):
        super().setUp()
        self.again = []  # what the callback returns, one after the other; then None
        self.add_method("_on_poll", lambda *args: self.poll(*args))  # noqa: PLW0108  binds

    def poll(self, record, what):
        self.heard.append(what)
        record.name = f"heard {what}"
        again = self.again.pop(0) if self.again else None
        if isinstance(again, Exception):
            raise again
        return again

    def polling(self, *again, **options):
        """Return a job whose callback returns these, one after the other."""
        self.again = list(again)
        return self.job(record=self.record, on_result="_on_poll", **options)

    def asked_once(self, **options):
        """Return a job that is asked again, and was not sent since."""
        job = self.polling(Again(30), **options)
        self.perform("not yet", attempts=1)
        self.assertEqual((job.state, self.heard), ("pending", ["not yet"]))
        return job


@tagged("post_install", "-at_install")
class TestAgain(AgainCase):
    def test_it_stays_one_job(self):
        job = self.polling(Again(30), Again(timedelta(minutes=1)))
        uuid, arguments = job.uuid, job.arguments
        self.perform("not yet", "soon", 42)
        self.assertEqual(self.heard, ["not yet", "soon", 42])
        self.assertEqual((job.state, job.get_result(), job.asked_again), ("done", 42, 2))
        self.assertEqual((job.uuid, job.arguments, job.sendings), (uuid, arguments, 3))
        self.assertEqual(self.trap.jobs, job.sudo())
        self.assertEqual((job.attempts, self.attempts(job)), (1, []), "none has failed")

    def test_it_waits_and_keeps_what_the_callback_wrote(self):
        job = self.asked_once()
        self.assertEqual(self.record.name, "heard not yet")
        self.assertAlmostEqual(
            job.eta, fields.Datetime.now() + timedelta(seconds=30), delta=timedelta(seconds=10)
        )
        self.assertEqual((job.is_ready, job.attempts, job.asked_again), (False, 0, 1))
        self.assertEqual((job.has_result, job.result, job.done_at), (False, False, False))
        self.assertRegex(job.reason, r"^Asks the service again on .* \(1 of 1000 times at most\)")
        wake_due(self.env.cr)
        job.invalidate_recordset()
        self.assertFalse(job.is_ready)

    def test_other_arguments(self):
        self.polling(Again(1, args=(7,), kwargs={"page": 2}), Again(1), Again(1, kwargs={"x": 1}))
        sent = []
        self.perform(lambda *args, **kwargs: sent.append((args, kwargs)))
        first = ((1,), {"currency": "EUR"})
        self.assertEqual(sent, [first, *[((7,), {"page": 2})] * 2, ((), {"x": 1})])

    def test_after_an_error(self):
        job = self.job(record=self.record, on_error="_on_poll", on_result="_on_heard")
        self.again = [Again(30)]
        self.perform(LookupError("busy"), attempts=1)
        self.assertEqual((job.state, job.attempts, job.error_message), ("pending", 0, False))
        self.assertEqual(self.attempts(job), [(1, "LookupError")])
        self.perform(42)
        self.assertEqual((job.state, len(self.heard), job.asked_again), ("done", 2, 1))

    def test_each_round_has_its_attempts(self):
        busy = LookupError("busy")
        job = self.polling(Again(30), retry_on="LookupError", max_attempts=2)
        self.perform(busy, "not yet", busy, 42)
        self.assertEqual((job.state, job.attempts, job.sendings), ("done", 2, 4))
        self.assertEqual(self.attempts(job), [(1, "LookupError"), (3, "LookupError")])

    def in_a_batch(self, *again):
        """Return a job beside another one in a batch; its callback returns these."""
        self.again = list(again)
        pricing = self.rpc.service("pricing")
        polling = pricing.with_options(record=self.record, on_result="_on_poll")
        return self.rpc.delay_many([polling.request.quote(1), pricing.request.quote(2)])[0]

    def test_a_batch_and_jobs_that_wait_go_on_waiting(self):
        polling = self.in_a_batch(Again(30))
        batch, waiting = polling.batch_id, self.waits_for(polling)
        answers = {"pricing.quote": 42, "pricing.add": 43}
        self.trap.perform(answers, attempts=1)
        self.assertEqual((batch.state, batch.done_count, batch.left_count), ("running", 1, 1))
        self.assertEqual((polling.state, waiting.state), ("pending", "pending"))
        self.trap.perform(answers)
        self.assertEqual((batch.state, waiting.state), ("done", "done"))

    def test_write_result_again(self):
        job = self.in_a_batch(ValueError("a mistake"), Again(30))
        batch = job.batch_id
        self.perform("not yet")
        self.assertEqual((job.state, job.error_message), ("failed", "a mistake"))
        self.assertEqual(batch.state, "failed")
        job.action_apply_again()
        self.assertEqual((job.state, job.asked_again, batch.state), ("pending", 1, "running"))
        self.perform(42)
        self.assertEqual((job.state, batch.state), ("done", "done"))
        self.assertEqual(self.heard, ["not yet", "not yet", 42])


@tagged("post_install", "-at_install")
class TestAgainOnce(AgainCase):
    """Answers to requests of earlier rounds do not count."""

    def late(self, job, *attempts):
        """Deliver a result and an error for each of these attempts."""
        for attempt in attempts:
            self.answer(Reply(job.uuid, "1", 1, attempt=attempt))
            self.answer(Reply(job.uuid, error=BUSY, attempt=attempt))

    def assert_goes_on(self, job, state):
        self.assertEqual((job.state, self.heard, job.asked_again), (state, ["not yet"], 1))

    def test_a_second_answer_to_the_first_round(self):
        job = self.asked_once()
        self.late(job, 1, None)
        self.assert_goes_on(job, "pending")
        self.sent(job)
        self.late(job, 1, None)
        self.answer(Lost(job.uuid, "timeout", 1))
        self.assert_goes_on(job, "sent")
        self.answer(Reply(job.uuid, "42", 42, attempt=2), Reply(job.uuid, "43", 43, attempt=2))
        self.assertEqual((job.state, self.heard), ("done", ["not yet", 42]))

    def test_an_attempt_that_nobody_waits_for_any_more(self):
        """A relay may end after it has published a request, and before that is counted."""
        job = self.sent(self.polling(Again(30)))
        retry_unanswered(self.env.cr, job.ids)
        self.answer(Reply(job.uuid, '"not yet"', "not yet", attempt=1))
        self.assert_goes_on(job, "pending")
        self.late(job, 1, 2)
        self.sent(job)
        self.late(job, 1, 2)
        self.assert_goes_on(job, "sent")
        self.answer(Reply(job.uuid, "42", 42, attempt=job.sendings))
        self.assertEqual(job.state, "done")

    def test_a_result_after_the_last_round_has_failed(self):
        job = self.sent(self.asked_once(max_attempts=1))
        self.answer(Lost(job.uuid, "timeout", job.sendings))
        self.late(job, 1)
        self.assertEqual((job.state, job.has_result), ("failed", False))
        self.answer(Reply(job.uuid, "42", 42, attempt=2))
        self.assertEqual((job.state, job.get_result()), ("failed", 42))

    def test_an_answer_of_the_first_round_that_cannot_be_written(self):
        job = self.sent(self.asked_once())
        self.env["nameko.job"].fail_reply(Reply(job.uuid, attempt=1), ValueError("deadly"))
        job.invalidate_recordset()
        self.assertEqual(job.state, "sent")
        self.env["nameko.job"].fail_reply(Reply(job.uuid, attempt=2), ValueError("deadly"))
        job.invalidate_recordset()
        self.assertEqual(job.state, "failed")

    def test_a_retry_does_not_forget_earlier_rounds(self):
        job = self.asked_once()
        self.assertEqual(job.sendings_before, 1)
        job.action_cancel()
        job.action_retry()
        self.assertEqual(job.sendings_before, 1)


@tagged("post_install", "-at_install")
class TestAgainRefused(AgainCase):
    def assert_refused(self, job, error, text):
        self.assertEqual((job.state, job.error_type, job.has_result), ("failed", error, True))
        self.assertRegex(job.error_message, text)

    def test_a_callback_that_never_ends(self):
        job = self.polling(*[Again(0)] * 9, max_again=2)
        self.perform("not yet", "not yet", "never")
        self.assert_refused(job, "AskedTooOften", r"nameko.compute._on_poll .* again 2 times")
        self.assertEqual(self.record.name, "heard not yet", "what it wrote last is not kept")
        job.action_retry()
        self.assertEqual((job.state, job.asked_again), ("pending", 0))
        self.again.clear()
        self.perform(42)
        self.assertEqual(job.state, "done")

    def test_the_bound_is_a_system_parameter(self):
        self.env["ir.config_parameter"].sudo().set_param(JOB_MAX_AGAIN.key, "1")
        job = self.polling(*[Again(0)] * 9)
        self.perform("not yet", "never")
        self.assert_refused(job, "AskedTooOften", "again 1 times")

    def test_a_job_of_an_earlier_version_has_the_bound(self):
        self.env["ir.config_parameter"].sudo().set_param(JOB_MAX_AGAIN.key, "1")
        job = self.polling(*[Again(0)] * 9, max_again=5)
        self.env.cr.execute("UPDATE nameko_job SET max_again = NULL WHERE id = %s", [job.id])
        self.perform("not yet", "never")
        self.assert_refused(job, "AskedTooOften", "again 1 times")

    def test_what_cannot_be_asked(self):
        for again in (
            Again(-1), Again("30"), Again(math.nan), Again(True), Again(None), Again(10**9),
            Again(timedelta(-1)), Again(1, args=5), Again(1, kwargs=[("page", 2)]),
        ):  # fmt: skip
            with self.subTest(again=again):
                self.record.name = "before"
                job = self.polling(again)
                self.perform("not yet")
                self.assert_refused(job, "InvalidJob", "^pricing.quote: .*; give a")
                self.assertEqual(self.record.name, "before")

    def test_arguments_that_cannot_be_sent(self):
        job = self.polling(Again(1, args=(object(),)))
        self.perform("not yet")
        self.assert_refused(job, "NotSendable", "argument 1")

    def test_a_service_that_may_not_be_called_any_more(self):
        job = self.polling(Again(30))
        self.env["ir.config_parameter"].sudo().set_param(
            "nameko_connector.allowed_services", "compute"
        )
        self.perform("not yet")
        self.assert_refused(job, "ServiceNotAllowed", "pricing")

    def test_the_key_stays_in_use(self):
        job = self.asked_once(identity_key="poll:1")
        self.assertEqual(self.job(identity_key="poll:1"), job)

    def test_a_callback_that_gives_its_key_away(self):
        def give_away(record, _what):
            record.env["nameko.rpc"].delay("pricing", "quote", identity_key="poll:1")
            return Again(30)

        self.add_method("_on_give_away", give_away)
        job = self.job(record=self.record, on_result="_on_give_away", identity_key="poll:1")
        self.perform("not yet")
        self.assert_refused(job, "InvalidJob", "identity key")
        self.assertEqual(self.trap.jobs, job.sudo())

    def test_a_cancelled_job_is_not_asked_again(self):
        job = self.job(record=self.record, on_error="_on_poll")
        self.again = [Again(30)]
        job.action_cancel()
        self.assertEqual((job.state, len(self.heard)), ("cancelled", 1))
