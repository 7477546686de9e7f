"""Which answers count, what is kept of them, and which options and settings are refused."""

import math

from odoo.addons.nameko_compute.tests.common import ComputationCase
from odoo.addons.nameko_connector.broker.jobs.reply import Reply
from odoo.addons.nameko_connector.exceptions import InvalidJob
from odoo.addons.nameko_connector.job_store.answers import lease, lock_free_rows, put_back
from odoo.addons.nameko_connector.job_store.dispatch import mark_sent
from odoo.addons.nameko_connector.job_store.rows import Lost
from odoo.addons.nameko_connector.tests.common import USER
from odoo.addons.nameko_connector.tools.parameters import JOB_RETRY_DELAYS, JOB_TIMEOUT
from odoo.exceptions import ValidationError
from odoo.tests import tagged

LATER = {"exc_type": "LookupError", "value": "not yet"}
ODD = "caf\udce9\0.txt"  # a file name that is no UTF-8, and NUL


@tagged("post_install", "-at_install")
class TestJobAnswers(ComputationCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        user = cls.new_user("answered_user", USER)
        cls.computations = cls.env["nameko.compute"].with_user(user)

    def setUp(self):
        super().setUp()
        self.record = self.computations.create({"value": 1, "other": 2})
        self.rpc = self.record.env["nameko.rpc"]

    def sent(self, attempts=1, **options):
        job = self.rpc.delay("compute", "method", 1, 2, **options)
        self.env.cr.execute(
            "UPDATE nameko_job SET state = 'sent', is_ready = false, attempts = %s WHERE id = %s",
            [attempts, job.id],
        )
        return job

    def answer(self, *events):
        applied = self.env["nameko.job"].apply_replies(events)
        self.env["nameko.job"].invalidate_model()
        self.record.invalidate_recordset()
        return applied

    def test_error_of_an_earlier_attempt_does_not_count(self):
        job = self.sent(attempts=2, record=self.record, result_field="value")
        self.answer(Reply(job.uuid, error=LATER, attempt=1))
        self.assertEqual(job.state, "sent")
        self.answer(Reply(job.uuid, error=LATER, attempt=2))
        self.assertEqual((job.state, job.error_type), ("failed", "LookupError"))

    def test_error_of_an_earlier_life_does_not_count(self):
        """Retry counts attempts from the beginning; which request it answers stays known."""
        job = self.rpc.delay("compute", "method", 1, 2)
        mark_sent(self.env.cr, job.ids)
        job.action_cancel()
        job.action_retry()
        mark_sent(self.env.cr, job.ids)
        job.invalidate_recordset()
        self.assertEqual((job.state, job.attempts, job.sendings), ("sent", 1, 2))
        self.answer(Reply(job.uuid, error=LATER, attempt=1))
        self.assertEqual(job.state, "sent")
        self.answer(Lost(job.uuid, "timeout", 1))
        self.assertEqual(job.state, "sent")
        self.answer(Reply(job.uuid, error=LATER, attempt=2))
        self.assertEqual((job.state, job.error_type), ("failed", "LookupError"))

    def leased(self, timeout):
        """Return a job whose answer is in a relay's hands, and its deadline before that."""
        job = self.rpc.delay("compute", "method", 1, 2, timeout=timeout)
        mark_sent(self.env.cr, job.ids)
        job.invalidate_recordset()
        until = job.deadline
        lease(self.env.cr, [job.uuid])
        job.invalidate_recordset()
        return job, until

    def test_an_answer_in_hand_leaves_a_job_its_time(self):
        """A relay that ends with it leaves it to another one, which may take a while."""
        job, until = self.leased(timeout=3600)
        self.assertEqual(job.deadline, until)
        rows, _ = lock_free_rows(self.env.cr, [job.uuid])
        put_back(self.env.cr, rows.values())
        job.invalidate_recordset()
        self.assertEqual(job.deadline, until)

    def test_an_answer_in_hand_keeps_a_job_from_being_late(self):
        job, until = self.leased(timeout=1)
        self.assertGreater(job.deadline, until)

    def test_a_job_that_is_not_sent_needs_no_lease(self):
        job = self.rpc.delay("compute", "method", 1, 2)
        self.assertEqual(lease(self.env.cr, [job.uuid, "nobody"]), {job.uuid, "nobody"})

    def test_result_of_an_earlier_attempt_counts(self):
        job = self.sent(attempts=3, record=self.record, result_field="value")
        self.answer(Reply(job.uuid, error=LATER, attempt=1), Reply(job.uuid, "3", 3, attempt=2))
        self.assertEqual((job.state, self.record.value), ("done", 3))

    def test_late_error_leaves_a_scheduled_retry_alone(self):
        job = self.sent(attempts=1, retry_on=["LookupError"], max_attempts=3)
        self.answer(Reply(job.uuid, error=LATER, attempt=1))
        self.assertEqual((job.state, bool(job.eta)), ("pending", True))
        self.answer(Reply(job.uuid, error={"exc_type": "KeyError", "value": "x"}, attempt=1))
        self.assertEqual((job.state, job.error_type), ("pending", False))

    def test_request_that_was_given_up_is_not_tried_again(self):
        given_up = {"exc_type": "RequestGivenUp", "value": "its process ended 5 times"}
        for retry_on, state in ((["*"], "failed"), (["RequestGivenUp"], "pending")):
            job = self.sent(attempts=1, retry_on=retry_on, max_attempts=3)
            self.answer(Reply(job.uuid, error=given_up, attempt=1))
            self.assertEqual(job.state, state)

    def test_result_after_the_timeout_is_kept(self):
        job = self.sent(attempts=3, record=self.record, result_field="value")
        self.answer(Lost(job.uuid, "timeout", 3))
        self.assertEqual(
            (job.state, job.error_type, job.has_result), ("failed", "CallTimeout", False)
        )
        self.answer(Reply(job.uuid, "3", 3, attempt=2))
        self.assertEqual((job.state, job.get_result()), ("failed", 3))
        self.assertIn("Write Result Again", job.error_message)
        job.action_apply_again()
        self.assertEqual((job.state, self.record.value, job.error_type), ("done", 3, False))

    def test_job_that_was_sent_again_is_not_lost(self):
        job = self.sent(attempts=2)
        self.answer(Lost(job.uuid, "timeout", 1))
        self.assertEqual(job.state, "sent")

    def test_texts_that_no_database_holds(self):
        self.record.action_compute_later()
        job = self.record.job_id
        self.env.cr.execute("UPDATE nameko_job SET state = 'sent' WHERE id = %s", [job.id])
        error = {"exc_type": f"Odd{ODD}", "value": ODD, "exc_args": [ODD]}
        self.answer(Reply(job.uuid, error=error))
        self.assertEqual(job.state, "failed")
        self.assertIn("caf\ufffd\ufffd.txt", job.error_message)
        self.assertEqual(self.record.state, "failed", "on_error was called")
        self.assertIn("caf\ufffd", self.record.error)

    def test_ids_of_another_form_name_no_job(self):
        for uuid in (ODD, "", "x" * 1000, "\0"):
            self.assertEqual(self.answer(Reply(uuid)).unknown, {uuid})

    def test_options_that_cannot_be(self):
        for options in (
            {"retry_delays": [math.inf]},
            {"retry_delays": [math.nan]},
            {"retry_delays": [-1]},
            {"retry_delays": ["10; 60"]},
            {"timeout": math.nan},
            {"timeout": math.inf},
            {"timeout": -1},
            {"timeout": "7"},
            {"max_attempts": math.nan},
            {"priority": 2**40},
            {"priority": math.nan},
            {"identity_key": ODD},
            {"retry_on": [ODD]},
        ):
            with self.subTest(options=options), self.assertRaises(InvalidJob):
                self.rpc.delay("compute", "method", 1, 2, **options)
        self.assertEqual(self.sent(retry_delays=[0, 1e-5, 2.5]).retry_delays, "0,0.00001,2.5")

    def test_settings_that_cannot_be(self):
        parameters = self.env["ir.config_parameter"].sudo()
        for key, value in (
            (JOB_RETRY_DELAYS, "10; 60"),
            (JOB_RETRY_DELAYS, "inf"),
            (JOB_RETRY_DELAYS, "-1"),
            (JOB_TIMEOUT.key, "nan"),
            (JOB_TIMEOUT.key, "1e300"),
            (JOB_TIMEOUT.key, "an hour"),
        ):
            with self.subTest(value=value), self.assertRaises(ValidationError):
                parameters.set_param(key, value)

    def test_settings_that_could_be_once(self):
        """What stands there already does no harm."""
        for key, value in ((JOB_RETRY_DELAYS, "10; 60"), (JOB_TIMEOUT.key, "1e300")):
            self.set_parameter_unchecked(key, value)
        job = self.rpc.delay("compute", "method", 1, 2)
        self.assertEqual((job.retry_delays, job.timeout), ("10,60,300", 3600))
