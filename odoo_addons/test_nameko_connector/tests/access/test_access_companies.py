"""Computations, jobs and rescheduling in two companies."""

from odoo.addons.nameko_connector.tests.common import MANAGER, USER, AccessCase
from odoo.exceptions import AccessError
from odoo.tests import tagged


@tagged("post_install", "-at_install")
class TestCompanies(AccessCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.company = cls.env.company
        cls.stranger = cls.new_user("stranger", MANAGER, company=cls.other_company)
        cls.both = cls.new_user("both", MANAGER)
        cls.both.company_ids += cls.other_company

    def setUp(self):
        super().setUp()
        env = self.env(user=self.user)
        self.computation = env["nameko.compute"].create({"value": 1, "other": 2})
        self.job = env["nameko.rpc"].delay("compute", "method", 1, 2, record=self.computation)

    def sees(self, record, user, companies=None):
        records = record.with_user(user)
        if companies:
            records = records.with_context(allowed_company_ids=companies.ids)
        return record.id in records.search([("id", "=", record.id)]).ids

    def test_computation_and_job_are_seen_by_owner_and_managers_of_the_company(self):
        for record in (self.computation, self.job):
            with self.subTest(model=record._name):
                self.assertTrue(self.sees(record, self.user))
                self.assertFalse(self.sees(record, self.colleague))
                self.assertTrue(self.sees(record, self.manager))
                self.assertFalse(self.sees(record, self.stranger))

    def test_manager_of_both_sees_those_of_the_companies_that_are_switched_on(self):
        for record in (self.computation, self.job):
            with self.subTest(model=record._name):
                self.assertTrue(self.sees(record, self.both, self.company))
                self.assertFalse(self.sees(record, self.both, self.other_company))
                self.assertTrue(self.sees(record, self.both, self.company + self.other_company))

    def test_owner_who_changes_the_company_keeps_the_job(self):
        self.user.write(
            {"company_ids": [(6, 0, self.other_company.ids)], "company_id": self.other_company.id}
        )
        self.assertTrue(self.sees(self.job, self.user))
        self.assertFalse(self.sees(self.computation, self.user))

    def test_job_belongs_to_the_company_in_which_it_was_asked_for(self):
        user = self.new_user("of both", USER)
        user.company_ids += self.other_company
        rpc = self.env(user=user)["nameko.rpc"].with_company(self.other_company)
        self.assertEqual(rpc.delay("compute", "method", 1, 2).company_id, self.other_company)

    def test_job_of_a_record_belongs_to_the_record_s_company(self):
        """Whichever of several companies was selected first when the user asked for it."""
        user = self.new_user("in both", USER)
        user.company_ids += self.other_company
        companies = (self.company + self.other_company).ids
        env = self.env(user=user, context={"allowed_company_ids": companies})
        computations = env["nameko.compute"].with_company(self.other_company)
        computation = computations.create({"value": 1, "other": 2})
        rpc = env["nameko.rpc"]
        job = rpc.delay("compute", "method", 1, 2, record=computation.with_env(env))
        self.assertEqual(computation.company_id, self.other_company)
        self.assertEqual(job.company_id, self.other_company)
        self.assertFalse(self.sees(self.env["nameko.job"].browse(job.id), self.manager))

    def test_jobs_are_cancelled_retried_and_applied_by_owner_and_manager(self):
        for allowed in (self.user, self.manager, self.both):
            job = self.job.with_user(allowed)
            job.action_cancel()
            job.action_retry()
            job.action_apply_again()
            self.assertEqual(job.state, "pending")

    def test_jobs_are_not_touched_by_others(self):
        for other in (self.colleague, self.stranger):
            for name in ("action_cancel", "action_retry", "action_apply_again"):
                with self.subTest(user=other.login, action=name), self.assertRaises(AccessError):
                    getattr(self.job.with_user(other), name)()

    def test_jobs_are_rescheduled_by_managers_of_the_company(self):
        values = {"job_ids": [(6, 0, self.job.ids)], "priority": 1}
        for manager in (self.manager, self.both):
            wizard = self.env["nameko.job.reschedule"].with_user(manager).create(values)
            wizard.action_reschedule()
            self.assertEqual(self.job.priority, 1)
        for other in (self.user, self.colleague):
            with self.assertRaises(AccessError):
                self.env["nameko.job.reschedule"].with_user(other).create(values)
        with self.assertRaises(AccessError):
            wizard = self.env["nameko.job.reschedule"].with_user(self.stranger).create(values)
            wizard.action_reschedule()

    def test_wizard_is_its_maker_s(self):
        values = {"job_ids": [(6, 0, self.job.ids)], "priority": 1}
        wizard = self.env["nameko.job.reschedule"].with_user(self.manager).create(values)
        for other in (self.stranger, self.both):
            with self.assertRaises(AccessError):
                wizard.with_user(other).action_reschedule()
