"""A retry with other arguments, and how arguments and results are shown."""

import json

from odoo import fields
from odoo.addons.nameko_connector.broker.jobs.reply import Reply
from odoo.addons.nameko_connector.job_store.rows import Lost
from odoo.addons.nameko_connector.tests.common import MANAGER
from odoo.exceptions import AccessError, UserError
from odoo.tests import tagged

from .job_case import STOCK, JobCase


@tagged("post_install", "-at_install")
class TestOtherArguments(JobCase):
    def wizard(self, job, **values):
        wizards = self.env["nameko.job.retry"].with_user(self.manager)
        return wizards.with_context(active_id=job.id).create(values)

    def failed(self):
        job = self.sent(self.job(max_attempts=1))
        self.answer(Reply(job.uuid, error=STOCK, attempt=1))
        return job

    def test_it_begins_with_what_was_sent(self):
        wizard = self.wizard(self.failed())
        self.assertEqual(json.loads(wizard.positional), [1])
        self.assertEqual(json.loads(wizard.named), {"currency": "EUR"})

    def test_the_job_runs_again_with_others(self):
        job = self.failed()
        self.wizard(job, positional="[2]", named='{"day": "é"}').action_retry()
        job.invalidate_recordset()
        self.assertEqual((job.state, job.user_id), ("pending", self.user))
        self.assertEqual(json.loads(job.arguments), {"args": [2], "kwargs": {"day": "é"}})

    def test_values_of_other_types_stay_what_they_are(self):
        job = self.sent(self.rpc.delay("pricing", "quote", fields.Date.today(), max_attempts=1))
        self.answer(Reply(job.uuid, error=STOCK, attempt=1))
        before = json.loads(job.arguments)
        self.wizard(job).action_retry()
        job.invalidate_recordset()
        self.assertEqual(json.loads(job.arguments), before)

    def test_what_is_wrong_is_said_and_nothing_happens(self):
        job = self.failed()
        for named in ("{", "[]", "null", '{"x": NaN}', '{"x": "\\ud800"}', "[" * 2000, '{"x":1,}'):
            with self.subTest(named=named[:20]), self.assertRaises(UserError):
                self.wizard(job, named=named).action_retry()
        self.assertEqual(job.state, "failed")

    def test_a_job_that_has_not_failed_stays(self):
        done, failed = self.sent(self.job()), self.failed()
        self.answer(Reply(done.uuid, "3", 3))
        later = self.job(after=done | failed)
        self.answer(Lost(later.uuid, "predecessor"))
        before = done.arguments
        for job in (done, self.job()):
            with self.assertRaises(UserError), self.env.cr.savepoint():
                self.wizard(job, positional='["forged"]').action_retry()
        self.env.invalidate_all()
        self.assertEqual((done.arguments, later.state), (before, "failed"))

    def test_nobody_learns_of_a_job_that_they_may_not_read(self):
        elsewhere = self.env["res.company"].create({"name": "Elsewhere"})
        job = self.failed()
        self.manager = self.new_user("attempts_stranger", MANAGER, company=elsewhere)
        with self.assertRaises(AccessError), self.env.cr.savepoint():
            self.env["nameko.job.retry"].with_user(self.manager).create(
                {"job_id": job.id, "positional": "[]", "named": "{}"}
            )
        with self.assertRaises(AccessError):
            self.wizard(job)

    def test_nobody_has_written_what_they_may_not_write(self):
        """The result would be written with the rights of the user who asked."""
        company = self.env.company
        rpc = self.env(user=self.env.ref("base.user_admin"))["nameko.rpc"]
        job = rpc.delay(
            "pricing", "quote", 1, record=company, result_field="sequence", max_attempts=1
        )
        self.answer(Reply(self.sent(job).uuid, error=STOCK, attempt=1))
        with self.assertRaises(AccessError):
            self.wizard(job, positional="[6666]").action_retry()
        self.assertEqual(job.state, "failed")

    def test_an_odd_context_is_no_job(self):
        wizards = self.env["nameko.job.retry"].with_user(self.manager)
        for odd in ("x", {"a": 1}, True, [1, 2], None):
            values = wizards.with_context(active_id=odd).default_get(["job_id", "named"])
            self.assertFalse(values.get("job_id"))

    def test_repeated_ids_count_once(self):
        job = self.failed()
        message = job.browse([job.id] * 3).action_retry()["params"]["message"]
        self.assertEqual(message, "1 job will run again.")


@tagged("post_install", "-at_install")
class TestTexts(JobCase):
    def shown(self, result):
        job = self.sent(self.job())
        self.answer(Reply(job.uuid, text=json.dumps(result), result=result, attempt=1))
        return job.shown_result

    def test_arguments_are_lines_with_their_names(self):
        self.assertEqual(self.job().shown_arguments, '1\ncurrency = "EUR"')

    def test_results_are_laid_out(self):
        self.assertEqual(self.shown({"quote": "größer"}), '{\n  "quote": "größer"\n}')
        self.assertEqual(self.shown(None), "null")
        self.assertFalse(self.job().shown_result)

    def test_of_long_ones_the_beginning_is_shown(self):
        for length in (30_000, 3_000_000):
            shown = self.shown("x" * length)
            self.assertLess(len(shown), 20_100)
            self.assertIn("more characters)", shown)

    def test_what_is_no_text_is_marked(self):
        self.assertEqual(self.shown("\ud800\0x"), '"\ufffd\\u0000x"')

    def test_deep_ones_are_shown(self):
        deep = self.job()
        deep.sudo().arguments = "[" * 50_000 + "]" * 50_000
        self.assertTrue(deep.shown_arguments.startswith("[["))
