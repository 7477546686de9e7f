"""Jobs with a limit key, as they are made, shown, performed and retried."""

from datetime import timedelta

from freezegun import freeze_time

from odoo import fields
from odoo.addons.nameko_connector.exceptions import InvalidJob
from odoo.addons.nameko_connector.job_store.answers import ask_again, lock_free_rows
from odoo.addons.nameko_connector.job_store.waiting import keys
from odoo.tests import tagged

from .test_trap_jobs_perform import PerformCase


@tagged("post_install", "-at_install")
class TestLimitKeys(PerformCase):
    def keyed(self, *args, **options):
        return self.rpc.delay("pricing", "quote", *args, **{"limit_key": "partner-7", **options})

    def release(self):
        """Open jobs as a relay does; return the ids of those that are ready."""
        self.assertTrue(keys.release(self.env.cr, ()))
        self.env.invalidate_all()
        return self.env["nameko.job"].search([("is_ready", "=", True)], order="id").ids

    def test_first_one_is_opened(self):
        jobs = self.keyed() + self.keyed() + self.keyed(limit_key="partner-8")
        self.assertEqual(jobs.mapped("is_waiting"), [True] * 3)
        self.assertEqual(self.release(), [jobs[0].id, jobs[2].id])
        self.assertEqual(self.release(), [jobs[0].id, jobs[2].id])

    def test_as_many_as_are_allowed(self):
        jobs = self.env["nameko.job"].union(*(self.keyed(most_at_once=2) for _ in range(4)))
        self.assertEqual(self.release(), jobs[:2].ids)
        jobs[0].action_cancel()
        keys.release(self.env.cr, jobs.ids)
        self.env.invalidate_all()
        self.assertEqual(jobs.mapped("is_ready"), [False, True, True, False])

    def test_most_at_once_needs_a_key(self):
        with self.assertRaisesRegex(InvalidJob, "most_at_once needs a limit_key"):
            self.rpc.delay("pricing", "quote", most_at_once=2)

    def test_what_it_waits_for(self):
        first, second = self.keyed(), self.keyed()
        later = self.keyed(eta=fields.Datetime.now() + timedelta(days=1))
        after = self.keyed(after=first)
        self.release()
        self.assertEqual(
            second.reason,
            "Waits for earlier jobs with the limit key partner-7. Of these, 1 may run at a time.",
        )
        self.assertIn("Not before ", later.reason)
        self.assertEqual(after.reason, "Waits for other jobs: 0 of 1 are done.")

    def test_jobs_are_performed_in_order(self):
        jobs = self.keyed(1) + self.keyed(2, priority=1) + self.keyed(3)
        seen = []
        self.trap.perform({"pricing.quote": seen.append})
        self.assertEqual((seen, jobs.mapped("state")), ([1, 2, 3], ["done"] * 3))

    def test_chained_jobs_with_one_key(self):
        first = self.keyed(1)
        later = self.keyed(eta=fields.Datetime.now() + timedelta(days=1))
        second = self.keyed(2, after=first)
        self.perform(42)
        self.assertEqual((first | second | later).mapped("state"), ["done"] * 3)

    def test_retried_job_takes_its_place_again(self):
        failed, other = self.keyed(), self.keyed()
        self.perform(LookupError("no stock"))
        self.assertEqual((failed.state, other.state), ("failed", "failed"))
        waiting = self.keyed()
        failed.action_retry()
        self.assertEqual((failed.is_waiting, failed.is_ready), (True, False))
        self.assertEqual(self.release(), failed.ids)
        self.assertFalse(waiting.is_ready)

    def test_moved_job_gives_its_turn_away(self):
        first, second = self.keyed(), self.keyed()
        self.release()
        eta = fields.Datetime.now() + timedelta(days=1)
        manager = self.env["res.users"].browse(self.env.ref("base.user_admin").id)
        wizard = self.env["nameko.job.reschedule"].with_user(manager)
        wizard.create({"job_ids": [(6, 0, first.ids)], "eta": eta}).action_reschedule()
        self.assertEqual((first.is_waiting, first.eta), (True, eta))
        keys.release(self.env.cr, first.ids)
        self.env.invalidate_all()
        self.assertTrue(second.is_ready)

    def test_job_that_asks_again_without_its_turn_waits_for_it(self):
        """It had ended, and its result was written again."""
        for state, waits in (("failed", True), ("sent", False)):
            job = self.keyed()
            self.release()
            self.env.cr.execute(
                "UPDATE nameko_job SET state = %s, is_ready = false WHERE id = %s", [state, job.id]
            )
            rows, _locked = lock_free_rows(self.env.cr, [job.uuid])
            ask_again(self.env.cr, rows[job.uuid], 30, None)
            self.env.invalidate_all()
            self.assertEqual((job.state, job.is_waiting, job.is_ready), ("pending", waits, False))
            job.action_cancel()

    def test_start_time_is_that_of_the_database(self):
        with freeze_time("2040-01-01"):
            job = self.keyed()
        self.assertEqual(self.release(), job.ids)

    def test_different_limits_keep_the_order(self):
        jobs = self.keyed(most_at_once=2) + self.keyed() + self.keyed(most_at_once=2)
        self.assertEqual(self.release(), jobs[:1].ids)
