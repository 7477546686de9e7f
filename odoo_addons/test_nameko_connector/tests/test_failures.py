"""Failed jobs in groups: one group a cause, one activity a group, and what people do with it."""

from unittest.mock import patch

from odoo.addons.nameko_connector.broker.jobs.reply import Reply
from odoo.addons.nameko_connector.job_store.rows import Lost
from odoo.addons.nameko_connector.models.monitoring import nameko_failure, nameko_failure_grouping
from odoo.addons.nameko_connector.tests.common import MANAGER, USER
from odoo.addons.nameko_connector.tools import locks
from odoo.addons.nameko_connector.tools.job_request import JobRequest
from odoo.addons.nameko_connector.tools.texts import MOST_SHAPE, shape_of
from odoo.exceptions import AccessError, ValidationError
from odoo.sql_db import db_connect
from odoo.tests import BaseCase, tagged
from odoo.tests.common import get_db_name

from .jobs.job_case import JobCase


@tagged("post_install", "-at_install")
class TestShape(BaseCase):
    def test_what_varies_is_left_out(self):
        for message, shape in (
            ("No stock for product 17", "No stock for product …"),
            ("Order SO0042 of 'Azure Interior' is gone", "Order … of … is gone"),
            ("“Main Hall” costs -12.50 EUR, 20%", "… costs … EUR, …"),
            ("at 2026-11-30 10:42:07", "at … …"),
            ("key 1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed", "key …"),
            ("key abcdefab-abcd-cdef-9b5d-abcdefabcdef", "key …"),
            ("It isn't there, and can't be", "It isn't there, and can't be"),
            ("first line\nsecond line", "first line"),
            ("", ""),
        ):
            self.assertEqual(shape_of(message), shape)

    def test_the_job_is_not_named_again(self):
        for message, shape in (
            ("pricing.quote answered with an error: no price: 3", "no price: …"),
            ("pricing.quote did not answer within 5 seconds.", "did not answer within … seconds."),
            ("pricing.quote", "pricing.quote"),
        ):
            self.assertEqual(shape_of(message, "pricing.quote"), shape)

    def test_long_and_odd_ones(self):
        self.assertEqual(len(shape_of("word " * 10_000)), MOST_SHAPE)
        shape_of("'" * 10_000)
        shape_of("a1" * 10_000)


class CountsCase(JobCase):
    """While the relay of the running stack counts nothing itself."""

    @classmethod
    def setUpClass(cls):
        cr = db_connect(get_db_name()).cursor()
        cls.addClassCleanup(cr.close)
        cr.execute("SELECT pg_advisory_lock(%s)", [locks.COUNTS])
        cls.addClassCleanup(cr.execute, "SELECT pg_advisory_unlock_all()")
        super().setUpClass()


@tagged("post_install", "-at_install")
class TestFailures(CountsCase):
    def failed(self, *messages, rpc=None, method="quote"):
        rpc = self.rpc if rpc is None else rpc
        jobs = self.env["nameko.job"].union(
            *(rpc.delay("pricing", method, max_attempts=1) for _ in messages)
        )
        self.sent(jobs)
        errors = [{"exc_type": "LookupError", "value": message} for message in messages]
        self.answer(
            *[Reply(job.uuid, error=error) for job, error in zip(jobs, errors, strict=True)]
        )
        return jobs

    def kept(self):
        """Do what a relay does from time to time; return the groups of these tests."""
        failures = self.env["nameko.failure"]
        failures._group_new()
        failures._count()
        self.env.invalidate_all()
        return failures.search([("service", "=", "pricing")], order="id")

    def activities(self, groups):
        return [(each.user_id, each.summary) for each in groups.activity_ids]

    def test_alike_messages_are_one_group(self):
        jobs = self.failed("no stock for product 7", "no stock for product 8", "no price")
        stock, price = self.kept()
        self.assertEqual((stock.failed_count, price.failed_count), (2, 1))
        self.assertEqual(stock.display_name, "pricing.quote")
        self.assertEqual(stock.shape, "no stock for product …")
        self.assertEqual(jobs[0].sudo().failure_id, stock)

    def test_methods_and_companies_are_apart(self):
        company = self.env["res.company"].create({"name": "Failing elsewhere"})
        user = self.new_user("failing_elsewhere", USER, company=company)
        self.failed("no stock")
        self.failed("no stock", method="rebate")
        self.failed("no stock", rpc=self.env["nameko.rpc"].with_user(user))
        groups = self.kept()
        self.assertEqual(len(groups), 3)
        self.assertEqual(len(groups.company_id), 2)
        mine = groups.with_user(self.manager).search([("service", "=", "pricing")])
        self.assertEqual(mine, groups.filtered(lambda group: group.company_id != company))

    def test_what_fails_because_of_another_is_in_none(self):
        first = self.rpc.delay("pricing", "quote", max_attempts=1)
        later = self.rpc.delay("pricing", "rebate", after=first)
        self.answer(Reply(self.sent(first).uuid, error={"exc_type": "E", "value": "no"}))
        self.answer(Lost(later.uuid, "predecessor"))
        self.assertEqual(later.state, "failed")
        self.assertEqual(self.kept().mapped("method"), ["quote"])

    def test_too_many_kinds_of_messages_share_a_group(self):
        with patch.object(nameko_failure_grouping, "MOST_SHAPES", 2):
            self.failed("no paper", "no ink", "no table", "no chair")
            groups = self.kept()
            self.assertEqual(groups.mapped("failed_count"), [1, 1, 2])
            self.assertFalse(groups[2].shape)
            self.failed("no lamp", "no ink")
            self.assertEqual(self.kept().mapped("failed_count"), [1, 2, 3])

    def test_too_many_groups_share_one(self):
        most = self.env["nameko.failure"].search_count([]) + 1
        with patch.object(nameko_failure_grouping, "MOST_GROUPS", most):
            self.failed("no paper", "no ink", "no table")
            self.assertEqual(self.kept().mapped("failed_count"), [1])
            rest = self.env["nameko.failure"].search(
                [("service", "=", ""), ("company_id", "=", self.env.company.id)]
            )
            self.assertEqual((rest.failed_count, rest.display_name), (2, "Various errors"))

    def test_some_groups_at_a_time(self):
        with patch.object(nameko_failure_grouping, "MOST_MADE", 1):
            self.failed("no paper", "no ink")
            self.assertEqual(self.kept().mapped("failed_count"), [1])
            self.assertEqual(self.kept().mapped("failed_count"), [1, 1])

    def test_retry_of_a_group(self):
        jobs = self.failed("no paper", "no paper", "no ink")
        paper, _ink = self.kept()
        self.assertIn("2 jobs", str(paper.with_user(self.manager).action_retry()))
        self.assertEqual(jobs.mapped("state"), ["pending", "pending", "failed"])
        self.assertEqual(self.kept().mapped("failed_count"), [0, 1])

    def test_cancel_of_a_group(self):
        jobs = self.failed("no paper", "no paper")
        group = self.kept()
        self.assertIn("2 cancelled", str(group.with_user(self.manager).action_cancel()))
        self.assertEqual(set(jobs.mapped("state")), {"cancelled"})
        self.assertIn("no paper", jobs[0].error_message)
        self.assertEqual(self.kept().failed_count, 0)

    def test_a_result_that_can_still_be_written_stays(self):
        jobs = self.failed("no paper", "no paper")
        group = self.kept()
        self.env.cr.execute("UPDATE nameko_job SET has_result = true WHERE id = %s", [jobs[0].id])
        jobs.invalidate_recordset()
        told = str(group.with_user(self.manager).action_cancel())
        self.assertIn("1 skipped", told)
        self.assertEqual(jobs.mapped("state"), ["failed", "cancelled"])

    def test_cancel_changes_the_end_of_a_batch(self):
        jobs = self.rpc.delay_many(JobRequest("pricing", "quote", (n,)) for n in range(2))
        self.env.cr.execute("UPDATE nameko_job SET max_attempts = 1 WHERE id = ANY(%s)", [jobs.ids])
        jobs.invalidate_recordset()
        self.sent(jobs)
        self.answer(*[Reply(job.uuid, error={"exc_type": "E", "value": "no"}) for job in jobs])
        self.env["nameko.batch"]._end()
        self.kept().with_user(self.manager).action_cancel()
        batch = jobs.batch_id
        self.assertEqual((batch.state, batch.failed, batch.cancelled), ("cancelled", 0, 2))

    def test_reminders_of_many_groups_come_in_turn(self):
        with patch.object(nameko_failure, "MOST_REMINDED", 1):
            self.failed("no paper", "no ink")
            self.assertEqual(len(self.kept().activity_ids), 1)
            self.assertEqual(len(self.kept().activity_ids), 2)
            self.kept().with_user(self.manager).action_retry()
            self.kept()
            self.assertFalse(self.kept().activity_ids)

    def test_what_a_service_says_is_no_html(self):
        self.failed("see <a href='https://elsewhere'>this</a>")
        self.assertNotIn("<a", self.kept().activity_ids.note)

    def test_one_activity_that_follows(self):
        manager = self.env["nameko.rpc"].with_user(self.manager)
        self.failed("no paper", rpc=manager)
        group = self.kept()
        self.assertEqual(self.activities(group), [(self.manager, "pricing.quote: failed jobs: 1")])
        self.failed("no paper", rpc=manager)
        self.kept()
        self.assertEqual(self.activities(group), [(self.manager, "pricing.quote: failed jobs: 2")])
        group.with_user(self.manager).action_retry()
        self.kept()
        self.assertFalse(group.activity_ids)

    def test_an_ignored_group_reminds_nobody(self):
        self.failed("no paper")
        group = self.kept()
        self.assertTrue(group.activity_ids)
        group.with_user(self.manager).action_ignore()
        self.assertFalse(group.activity_ids)
        self.failed("no paper")
        self.kept()
        self.assertEqual((group.failed_count, len(group.activity_ids)), (2, 0))
        group.with_user(self.manager).action_stop_ignoring()
        self.assertTrue(group.activity_ids)

    def test_another_responsible(self):
        other = self.new_user("failures_other", MANAGER)
        self.failed("no paper")
        group = self.kept()
        group.with_user(self.manager).user_id = other
        self.assertEqual(group.activity_ids.user_id, other)
        elsewhere = self.env["res.company"].create({"name": "Elsewhere"})
        for stranger in (
            self.new_user("failures_user", USER),
            self.new_user("failures_portal", "base.group_portal"),
            self.new_user("failures_elsewhere", MANAGER, company=elsewhere),
        ):
            with self.assertRaises(ValidationError), self.env.cr.savepoint():
                group.with_user(self.manager).user_id = stranger
        group.with_user(self.manager).user_id = False
        self.assertFalse(group.activity_ids)

    def test_people_change_nothing_else(self):
        self.failed("no paper")
        group = self.kept()
        with self.assertRaises(AccessError):
            group.with_user(self.manager).write({"failed_count": 0})
        with self.assertRaises(AccessError):
            _ = group.with_user(self.user).shape
        with self.assertRaises(AccessError):
            group.with_user(self.user).action_retry()

    def test_empty_groups_go(self):
        self.failed("no paper").sudo().action_retry()
        self.failed("no ink")
        group = self.kept()
        self.env.cr.execute(
            "UPDATE nameko_failure SET last_at = last_at - interval '10 years', failed_count = 0"
            " WHERE id = %s",
            [group.id],
        )
        group.invalidate_recordset()
        group._gc_empty()
        self.assertFalse(group.exists())
