"""Computations: what only the code writes, and whose answer counts."""

from odoo.addons.nameko_connector.broker.jobs.reply import Reply
from odoo.addons.nameko_connector.tests.common import MANAGER, USER, AccessCase
from odoo.exceptions import AccessError
from odoo.tests import tagged
from odoo.tools import mute_logger

from .common import WithComputations

ONLY_THE_CODE = {
    "state": "done",
    "result": 42,
    "error": "none",
    "computed_by_id": 2,
    "computed_at": "2024-01-01",
    "job_id": 1,
}


@tagged("post_install", "-at_install")
class TestOnlyTheCodeWrites(AccessCase):
    def setUp(self):
        super().setUp()
        self.computations = self.env["nameko.compute"].with_user(self.user)
        self.record = self.computations.create({"value": 1, "other": 2})

    def test_every_field_that_is_shown_as_readonly_is_guarded(self):
        fresh = self.computations._fresh_values()
        readonly = {
            name
            for name, field in self.computations._fields.items()
            if field.readonly and field.store and field.name not in
            ("id", "create_uid", "create_date", "write_uid", "write_date")
        }  # fmt: skip
        self.assertEqual(set(fresh), readonly)
        self.assertEqual(set(fresh), set(ONLY_THE_CODE))

    def test_nobody_writes_or_creates_them(self):
        for user in (
            self.user,
            self.manager,
            self.new_user("administrator", "base.group_system", USER),
        ):
            record = self.record.with_user(user)
            for name, value in ONLY_THE_CODE.items():
                with self.subTest(user=user.login, field=name):
                    for attempt in (
                        lambda: record.write({name: value}),  # noqa: B023
                        lambda: record.create({"value": 1, "other": 2, name: value}),  # noqa: B023
                        lambda: record.copy({name: value}),  # noqa: B023
                    ):
                        self.assertRaises(AccessError, attempt)

    def test_defaults_of_the_context_and_of_the_user_do_not_count(self):
        self.env["ir.default"].with_user(self.user).set("nameko.compute", "result", 7, True)
        context = {f"default_{name}": value for name, value in ONLY_THE_CODE.items()}
        record = self.computations.with_context(**context).create({"value": 1, "other": 2})
        self.assertEqual((record.state, record.result), ("draft", 0))
        self.assertFalse(record.error or record.computed_by_id or record.computed_at)
        self.assertFalse(record.job_id)

    def test_progress_of_a_job_is_for_those_who_may_read_the_job(self):
        self.record.action_compute_later()
        self.env.cr.execute("UPDATE nameko_job SET progress = 42, state = 'sent'")
        self.record.job_id.sudo().company_id = self.other_company
        self.env.invalidate_all()
        self.assertEqual(self.record.progress, 42)
        self.assertEqual(self.record.with_user(self.manager).progress, 0)
        self.assertEqual(self.record.with_user(self.manager).read(["progress"])[0]["progress"], 0)


@tagged("post_install", "-at_install")
class TestWhoseAnswerCounts(WithComputations, AccessCase):
    def setUp(self):
        super().setUp()
        self.record = self.computation(40, 2)
        self.record.action_compute_later()
        self.job = self.record.job_id

    def answer(self, result, job=None):
        self.env.flush_all()
        job = job or self.job
        self.env["nameko.job"].apply_replies([Reply(job.uuid, str(result), result)])
        self.env.invalidate_all()

    def test_operands_changed_meanwhile(self):
        self.record.value = 50
        self.assertEqual((self.record.state, self.job.state), ("draft", "cancelled"))
        self.answer(42)
        self.assertEqual((self.record.state, self.record.result), ("draft", 0))

    def test_answer_of_the_first_job_after_operands_changed_and_queued_again(self):
        self.record.value = 50
        self.record.action_compute_later()
        self.env.cr.execute("UPDATE nameko_job SET state = 'sent' WHERE id = %s", [self.job.id])
        self.answer(42)
        self.assertEqual((self.record.state, self.record.result), ("queued", 0))
        self.answer(52, self.record.job_id)
        self.assertEqual((self.record.state, self.record.result), ("done", 52))

    def test_who_may_not_write_cancels_no_job(self):
        with self.assertRaises(AccessError):
            self.record.with_user(self.colleague).write({"value": 50})
        self.assertEqual(self.job.state, "pending")

    def test_nobody_moves_it_to_a_company_of_others(self):
        mine = self.env["nameko.compute"].with_user(self.user).create({"value": 1, "other": 2})
        for user in (self.user, self.manager):
            with self.assertRaises(AccessError), self.env.cr.savepoint():
                mine.with_user(user).write({"company_id": self.other_company.id})

    def test_queued_without_a_live_job_can_be_queued_again(self):
        """As where the user of the job may not read the record any more."""
        self.env.cr.execute("UPDATE nameko_job SET state = 'failed' WHERE id = %s", [self.job.id])
        self.job.invalidate_recordset()
        self.record.action_compute_later()
        self.assertNotEqual(self.record.job_id, self.job)
        self.assertEqual(self.record.job_id.state, "pending")

    def test_primes_need_one_operand(self):
        record = self.env["nameko.compute"].create({"operation": "prime_count", "value": 10})
        record.action_compute_later()
        self.assertEqual(record.state, "queued")

    @mute_logger("odoo.sql_db")
    def test_other_operations_need_two(self):
        with self.assertRaisesRegex(Exception, "two operands|other_required"):
            self.env["nameko.compute"].create({"operation": "sum", "value": 10})
            self.env.flush_all()

    def test_drafts_of_one_who_cannot_queue_them_stop_nobody(self):
        good, bad = self.new_user("good", MANAGER), self.new_user("bad", USER)
        drafts = [
            self.env["nameko.compute"].with_user(user).create({"value": 1, "other": 2}).sudo()
            for user in (bad, good)
        ]
        bad.group_ids = self.env.ref("base.group_user")
        self.env["nameko.compute"]._cron_queue_drafts()
        self.assertEqual([draft.state for draft in drafts], ["failed", "queued"])
        self.assertTrue(drafts[0].error)
