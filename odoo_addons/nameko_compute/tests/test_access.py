"""Who may see and press what."""

from odoo.addons.nameko_connector.testing import answered_calls
from odoo.addons.nameko_connector.tests.common import MANAGER, AccessCase
from odoo.exceptions import AccessError
from odoo.tests import tagged


@tagged("post_install", "-at_install")
class TestComputationAccess(AccessCase):
    def setUp(self):
        super().setUp()
        self.computations = self.env["nameko.compute"].with_user(self.user)
        self.computation_of_user = self.computations.create({"value": 1, "other": 2})

    def seen_by(self, user):
        found = self.env["nameko.compute"].with_user(user).search([])
        return self.computation_of_user in found

    def test_user_computes(self):
        self.computation_of_user.action_suma()
        self.assertEqual(self.computation_of_user.result, 3)
        self.assertEqual(self.computation_of_user.computed_by_id, self.user)

    def test_user_sees_own_computations_only(self):
        self.assertTrue(self.seen_by(self.user))
        self.assertFalse(self.seen_by(self.colleague))

    def test_manager_sees_those_of_the_company(self):
        self.assertTrue(self.seen_by(self.manager))

    def test_manager_of_another_company_does_not(self):
        stranger = self.new_user("stranger", MANAGER, company=self.other_company)
        self.assertFalse(self.seen_by(stranger))

    def test_colleague_cannot_press_the_button(self):
        with self.assertRaises(AccessError):
            self.computation_of_user.with_user(self.colleague).action_suma()

    def test_no_service_is_asked_by_one_who_may_only_read(self):
        selection = self.computation_of_user + self.computations.create({"value": 3, "other": 4})
        self.env["ir.rule"].create(
            {
                "name": "Nobody writes",
                "model_id": self.env["ir.model"]._get_id("nameko.compute"),
                "perm_read": False,
                "domain_force": [(0, "=", 1)],
            }
        )
        for records in (selection, selection[0]):
            for button in (records.action_suma, records.action_compute):
                with self.subTest(button=button), answered_calls({}) as calls:
                    self.assertRaises(AccessError, button)
                self.assertEqual(calls, [])

    def test_nobody_else_sees_anything(self):
        for group in ("base.group_user", "base.group_portal", "base.group_public"):
            user = self.new_user(group.replace(".", "_"), group)
            with self.assertRaises(AccessError):
                self.env["nameko.compute"].with_user(user).search([])
