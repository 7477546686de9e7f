"""Computations in the background: which jobs they enqueue, and what their answers do."""

from odoo.addons.nameko_connector.testing import answered_calls, trap_jobs
from odoo.addons.nameko_connector.tests.common import USER
from odoo.tests import tagged

from .common import ComputationCase

COMPUTE = "compute.compute"


@tagged("post_install", "-at_install")
class TestComputeLater(ComputationCase):
    def setUp(self):
        super().setUp()
        self.trap = self.enterContext(trap_jobs(self.env))

    def later(self, *operands, **values):
        record = self.computation(*operands, **values)
        record.action_compute_later()
        return record

    def test_a_computation_is_one_job(self):
        record = self.later(40, 2)
        job = self.trap.assert_delayed("compute", "compute", "sum", 40, 2, None, record=record)
        self.assertEqual((record.state, record.job_id, record.nameko_job_count), ("queued", job, 1))

    def test_the_result_is_mailed_to_who_pressed_the_button(self):
        self.env.user.email = "admin@example.com"
        self.later(40, 2, is_mailed=True)
        self.trap.assert_delayed("compute", "compute", "sum", 40, 2, "admin@example.com")

    def test_primes_have_a_method_of_their_own(self):
        record = self.later(10, 0, operation="prime_count")
        self.trap.assert_delayed("compute", "prime_count", 10, record=record)
        self.trap.perform({"compute.prime_count": 4})
        self.assertEqual((record.state, record.result), ("done", 4))

    def test_the_result_is_written(self):
        record = self.later(40, 2)
        self.trap.perform({COMPUTE: 42})
        self.assertEqual((record.state, record.result), ("done", 42))
        self.assertEqual(record.computed_by_id, self.env.user)

    def test_an_error_of_the_service_is_written(self):
        record = self.later(1, 0, operation="div")
        self.trap.perform({COMPUTE: ZeroDivisionError("divided by zero")})
        self.assertEqual((record.state, record.result), ("failed", 0))
        self.assertIn("divided by zero", record.error)

    def test_an_unusable_answer_fails_the_computation(self):
        record = self.later(40, 2)
        self.trap.perform({COMPUTE: []})
        self.assertEqual((record.state, record.result), ("failed", 0))

    def test_a_cancelled_job_fails_its_computation(self):
        record = self.later(40, 2)
        record.job_id.action_cancel()
        self.assertEqual(record.state, "failed")
        self.assertIn("Cancelled", record.error)

    def test_a_retried_job_still_writes_its_result(self):
        record = self.later(40, 2)
        record.job_id.action_cancel()
        record.job_id.action_retry()
        self.trap.perform({COMPUTE: 42})
        self.assertEqual((record.state, record.result), ("done", 42))

    def test_a_retried_job_does_not_overwrite_what_was_computed_since(self):
        record = self.later(40, 2)
        record.job_id.action_cancel()
        record.operation = "mul"
        with answered_calls({COMPUTE: 80}):
            record.action_compute()
        self.trap.jobs.action_retry()
        self.trap.perform({COMPUTE: 42})
        self.assertEqual(record.result, 80)

    def test_many_computations_are_one_batch(self):
        records = self.computation(40, 2) + self.computation(3, 4) + self.computation(1, 0)
        records.action_compute_later()
        self.trap.perform({COMPUTE: _sum_unless_zero})
        self.assertEqual(records.mapped("state"), ["done", "done", "failed"])
        self.assertEqual(records.mapped("result"), [42, 7, 0])
        self.assertEqual((self.trap.batches.done, self.trap.batches.failed), (2, 1))

    def test_the_scheduled_action_queues_drafts_as_their_owners(self):
        user = self.new_user("cron_user", USER)
        record = self.env["nameko.compute"].with_user(user).create({"value": 1, "other": 2})
        self.env["nameko.compute"]._cron_queue_drafts()
        self.assertEqual(record.state, "queued")
        job = self.trap.assert_delayed("compute", "compute", "sum", 1, 2, None, record=record)
        self.assertEqual(job.user_id, user)


def _sum_unless_zero(_operation, value, other, _email):
    if not other:
        raise ValueError("nothing to add")
    return value + other
