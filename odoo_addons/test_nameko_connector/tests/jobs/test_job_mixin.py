"""Records that have jobs: their number, and what becomes of the jobs of deleted ones."""

from unittest.mock import patch

from odoo.addons.nameko_compute.models.nameko_compute_later import NamekoCompute
from odoo.addons.nameko_compute.tests.common import ComputationCase
from odoo.addons.nameko_connector.broker.jobs.reply import Reply
from odoo.addons.nameko_connector.job_store.cancelled import take_cancelled
from odoo.addons.nameko_connector.job_store.dispatch import mark_sent
from odoo.addons.nameko_connector.job_store.waiting.predecessors import after_failed
from odoo.addons.nameko_connector.tests.common import MANAGER, USER
from odoo.exceptions import AccessError
from odoo.tests import tagged


@tagged("post_install", "-at_install")
class TestJobMixin(ComputationCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.user = cls.new_user("mixin_user", USER)

    def setUp(self):
        super().setUp()
        self.records = self.env["nameko.compute"].with_user(self.user).create(
            [{"value": 1, "other": 2}] * 3
        )  # fmt: skip

    def delay(self, record, **options):
        return record.env["nameko.rpc"].delay("compute", "method", 1, 2, record=record, **options)

    def cancelled(self):
        """Return the uuids of which the services are still to be told."""
        return set(take_cancelled(self.env.cr))

    def test_who_may_see_no_jobs_counts_none(self):
        self.records.action_compute_later()
        plain = self.new_user("mixin_plain", "base.group_user")
        self.env["ir.model.access"].create(
            {
                "name": "everybody reads computations",
                "model_id": self.env["ir.model"]._get_id("nameko.compute"),
                "perm_read": True,
            }
        )
        self.env["ir.rule"].search([("model_id.model", "=", "nameko.compute")]).active = False
        self.assertEqual(self.records[0].nameko_job_count, 1)
        theirs = self.records.with_user(plain)
        theirs.invalidate_recordset()
        self.assertEqual(theirs.mapped("nameko_job_count"), [0, 0, 0])
        self.assertEqual(theirs.read(["nameko_job_count"])[0]["nameko_job_count"], 0)

    def test_deleting_records_cancels_their_jobs_and_the_services_are_told(self):
        first, second, third = self.records
        pending, sent, done = (self.delay(first) for _ in range(3))
        others = self.delay(second) + self.delay(third, on_error="_on_not_computed")
        mark_sent(self.env.cr, (sent + others).ids)
        self.env["nameko.job"].apply_replies([Reply(done.uuid, "3", 3)])
        follower = self.delay(second, after=pending)
        called = []
        with patch.object(NamekoCompute, "_on_not_computed", lambda *each: called.append(each)):
            (first + third).unlink()
        self.env.invalidate_all()
        self.assertFalse(called)
        self.assertEqual((pending + sent + others[1]).mapped("state"), ["cancelled"] * 3)
        self.assertEqual(sent.error_message, "The record was deleted.")
        self.assertEqual((done.state, others[0].state), ("done", "sent"))
        self.assertEqual(self.cancelled(), {sent.uuid, others[1].uuid})
        self.env["nameko.job"].apply_replies(after_failed(self.env.cr, follower.ids))
        self.env.invalidate_all()
        self.assertEqual(follower.error_type, "PredecessorFailed")

    def test_jobs_of_others_are_cancelled_too(self):
        manager = self.new_user("mixin_manager", MANAGER)
        job = self.delay(self.records[0])
        self.records[0].with_user(manager).unlink()
        self.assertEqual(job.state, "cancelled")

    def test_who_may_not_delete_cancels_nothing(self):
        colleague = self.new_user("mixin_colleague", USER)
        job = self.delay(self.records[0])
        with self.assertRaises(AccessError):
            self.records[0].with_user(colleague).unlink()
        self.assertEqual(job.state, "pending")
