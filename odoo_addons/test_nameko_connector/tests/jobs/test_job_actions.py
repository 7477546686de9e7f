"""Retry, Cancel, Write Result Again and Reschedule: on many jobs, with what is told."""

from odoo.addons.nameko_compute.tests.common import ComputationCase
from odoo.addons.nameko_connector.broker.jobs.reply import Reply
from odoo.addons.nameko_connector.tests.common import MANAGER, USER
from odoo.addons.nameko_connector.tools.parameters import ALLOWED_SERVICES
from odoo.exceptions import AccessError
from odoo.tests import tagged

ACTIONS = {
    "Retry": "nameko_connector.nameko_job_server_action_retry",
    "Write Result Again": "nameko_connector.nameko_job_server_action_apply",
}


@tagged("post_install", "-at_install")
class TestJobActions(ComputationCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.user = cls.new_user("job_user", USER)

    def setUp(self):
        super().setUp()
        self.rpc = self.env(user=self.user)["nameko.rpc"]

    def jobs(self, count, state=None, service="compute", **options):
        jobs = self.env["nameko.job"].with_user(self.user)
        for _ in range(count):
            jobs += self.rpc.delay(service, "method", 1, 2, **options)
        if state:
            self.set_state(jobs, state)
        return jobs

    def set_state(self, jobs, state):
        self.env.cr.execute(
            "UPDATE nameko_job SET state = %s, is_ready = false WHERE id = ANY(%s)",
            [state, jobs.ids],
        )
        jobs.invalidate_recordset()

    def pressed(self, name, jobs, user=None):
        """Press a button of the list or choose in its menu; return what the notification says."""
        if name == "Cancel":
            return jobs.with_user(user or self.user).action_cancel()["params"]["message"]
        context = {"active_model": jobs._name, "active_ids": jobs.ids}
        action = self.env.ref(ACTIONS[name]).with_user(user or self.user)
        returned = action.with_context(**context).run()
        self.env.invalidate_all()
        return returned["params"]["message"]

    def test_500_and_three_run_again(self):
        jobs = self.jobs(503, "failed")
        self.assertEqual(self.pressed("Retry", jobs), "503 jobs will run again.")
        self.assertEqual(set(jobs.mapped("state")), {"pending"})

    def test_managers_choose_from_the_list_too(self):
        manager = self.new_user("job_manager", MANAGER)
        jobs = self.jobs(2, "failed")
        self.assertEqual(self.pressed("Retry", jobs, manager), "2 jobs will run again.")

    def test_what_does_not_run_again_is_counted_with_the_reason(self):
        jobs = self.jobs(2, "failed") + self.jobs(1, "cancelled") + self.jobs(3, "done")
        jobs += self.jobs(4, "failed", service="other")
        jobs += self.jobs(1, "failed", identity_key="one")
        taken = self.jobs(1, identity_key="one")
        self.env["ir.config_parameter"].set_param(ALLOWED_SERVICES, "compute")
        self.assertEqual(
            self.pressed("Retry", jobs + taken).splitlines(),
            [
                "3 jobs will run again.",
                "4 skipped: not failed and not cancelled.",
                "4 skipped: their service may not be called any more.",
                "1 skipped: another job has their identity key.",
            ],
        )

    def test_jobs_whose_record_is_gone_do_not_run_again(self):
        records = self.env["nameko.compute"].with_user(self.user).create(
            [{"value": 1, "other": 2}] * 3
        )  # fmt: skip
        first, *others = (self.jobs(1, "failed", record=record) for record in records)
        follower = self.jobs(1, record=records[1], after=first)
        self.set_state(follower, "failed")
        self.env.cr.execute(
            "UPDATE nameko_job SET error_type = 'PredecessorFailed', res_model = 'no.such.model'"
            " WHERE id = %s", [follower.id],
        )  # fmt: skip
        records[1].unlink()
        jobs = self.env["nameko.job"].union(first, *others, self.jobs(1, "failed"))
        self.env.invalidate_all()
        self.assertEqual(
            self.pressed("Retry", jobs.with_user(self.user)).splitlines(),
            ["3 jobs will run again.", "1 skipped: their record no longer exists."],
        )
        self.assertEqual((others[0].state, follower.state), ("failed", "failed"))

    def test_whose_jobs_may_not_be_read_is_said_before_how_many(self):
        portal = self.new_user("job_portal", "base.group_portal")
        for jobs in (self.env["nameko.job"], self.jobs(1), self.jobs(2)):
            with self.assertRaises(AccessError):
                jobs.with_user(portal).action_open_record()

    def test_of_several_with_one_identity_key_the_newest_runs_again(self):
        jobs = self.env["nameko.job"].with_user(self.user)
        for _ in range(3):
            jobs += self.jobs(1, "failed", identity_key="one")
        self.pressed("Retry", jobs)
        self.assertEqual(jobs.mapped("state"), ["failed", "failed", "pending"])

    def test_500_are_cancelled(self):
        jobs = self.jobs(500)
        done = self.jobs(2, "done")
        self.assertEqual(
            self.pressed("Cancel", jobs + done).splitlines(),
            ["500 cancelled.", "2 skipped: they are finished already."],
        )
        self.assertEqual(set(jobs.mapped("state")), {"cancelled"})

    def test_500_results_are_written_again(self):
        records = self.env["nameko.compute"].with_user(self.user).create(
            [{"value": 1, "other": 2}] * 500
        )  # fmt: skip
        jobs = self.env["nameko.job"].union(
            *(self.jobs(1, record=record, result_field="value") for record in records)
        )
        self.env["nameko.job"].apply_replies([Reply(j.uuid, "7", "seven") for j in jobs])
        nothing_kept = self.jobs(1, "failed")
        self.env.invalidate_all()
        self.assertEqual(set(jobs.mapped("state")), {"failed"})
        records[0].unlink()
        self.assertEqual(
            self.pressed("Write Result Again", jobs.with_user(self.user) + nothing_kept)
            .splitlines(),
            [
                "499 results written.",
                "1 skipped: no result waits to be written.",
                "1 cannot be written: the jobs' errors say why.",
            ],
        )  # fmt: skip
        self.assertEqual(set(records[1:].mapped("value")), {7})

    def test_pending_jobs_are_rescheduled_and_counted(self):
        manager = self.new_user("job_manager", MANAGER)
        jobs = self.jobs(2) + self.jobs(1, "done")
        wizard = self.env["nameko.job.reschedule"].with_user(manager)
        wizard = wizard.with_context(active_ids=jobs.ids).create({"priority": 1})
        message = wizard.action_reschedule()["params"]["message"]
        self.assertEqual(message, "2 rescheduled.\n1 skipped: they do not wait.")

    def test_duration_is_from_sending_to_the_answer(self):
        job = self.jobs(1)
        self.env.cr.execute(
            "UPDATE nameko_job SET state = 'sent', create_date = create_date - interval '1 hour',"
            " sent_at = now() AT TIME ZONE 'UTC' - interval '2 s' WHERE id = %s",
            [job.id],
        )
        self.env["nameko.job"].apply_replies([Reply(job.uuid, "3", 3)])
        job.invalidate_recordset()
        self.assertAlmostEqual(job.seconds, 2, delta=0.1)
        self.env.cr.execute("SELECT seconds FROM nameko_job WHERE id = %s", [self.jobs(1).id])
        self.assertEqual(self.env.cr.fetchone(), (None,))  # not 0, which would count as duration

    def test_groups_show_the_mean_of_their_jobs(self):
        domain = [("id", "in", (self.jobs(3, "done") + self.jobs(1, "pending")).ids)]
        for number, job in enumerate(self.env["nameko.job"].search(domain, order="id")):
            seconds = [1, 2, 6, None][number]
            self.env.cr.execute(
                "UPDATE nameko_job SET seconds = %s WHERE id = %s", [seconds, job.id]
            )
        self.env.invalidate_all()
        shown = f"seconds:{self.env['nameko.job']._fields['seconds'].aggregator}"
        ((mean,),) = self.env["nameko.job"]._read_group(domain, [], [shown])
        self.assertEqual(mean, 3)

    def test_no_footer_averages_averages(self):
        """The web client takes the mean of the groups for a list's footer, whatever their size."""
        arch = self.env["nameko.job"].get_view(view_type="list")["arch"]
        self.assertNotIn("avg=", arch)
