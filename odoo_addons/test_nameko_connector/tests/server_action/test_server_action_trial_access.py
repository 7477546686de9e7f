"""Who may try a server action out, and with whose rights."""

from odoo.addons.nameko_connector.testing import answered_calls
from odoo.addons.nameko_connector.tests.common import MANAGER
from odoo.addons.nameko_connector.tests.server_action.action_case import CONTACTS
from odoo.exceptions import AccessError
from odoo.tests import tagged

from .run_access_case import RunAccessCase


@tagged("post_install", "-at_install")
class TestTrialAccess(RunAccessCase):
    def test_trial_has_the_manager_s_own_rights(self):
        manager = self.new_user("trier", MANAGER)  # who may not write partners
        trials = self.env["nameko.action.trial"].with_user(manager)
        reference = f"res.partner,{self.partner.id}"
        trial = trials.create({"action_id": self.now.id, "record_ref": reference})
        with answered_calls({"pricing.quote": "42"}) as requests:
            trial.action_try()
        self.assertEqual(requests, [])
        self.assertIn("not allowed to modify", trial.error)
        self.now.nameko_result_kind = "nothing"
        with answered_calls({"pricing.quote": "42"}) as requests:
            trial.action_try()
        self.assertEqual((len(requests), trial.answer), (1, '"42"'))

    def test_trial_of_another_company_s_record(self):
        self.partner.company_id = self.other_company
        manager = self.new_user("trier", MANAGER, *CONTACTS)
        trials = self.env["nameko.action.trial"].with_user(manager)
        trial = trials.create(
            {"action_id": self.now.id, "record_ref": f"res.partner,{self.partner.id}"}
        )
        with answered_calls({"pricing.quote": "42"}) as requests:
            trial.action_try()
        self.assertEqual(requests, [])
        self.assertIn("top-secret", trial.error)

    def test_trial_is_its_maker_s(self):
        one, two = self.new_user("trier", MANAGER), self.new_user("other_trier", MANAGER)
        trial = self.env["nameko.action.trial"].with_user(one).create({"action_id": self.now.id})
        with self.assertRaises(AccessError):
            trial.with_user(two).action_try()

    def test_trial_tells_nothing_of_other_actions(self):
        code = self.env["ir.actions.server"].create(
            {
                "name": "Secret",
                "model_id": self.env["ir.model"]._get_id("res.users"),
                "state": "code",
            }
        )
        with self.assertRaises(AccessError):
            self.env["nameko.action.trial"].with_user(self.new_user("trier", MANAGER)).create(
                {"action_id": code.id}
            )

    def test_manager_without_administration_reads_what_the_form_needs(self):
        manager = self.new_user("designer", MANAGER)
        env = self.env(user=manager)
        self.assertTrue(env["ir.model"].search([("model", "=", "res.partner")]).name)
        self.assertTrue(env["ir.model.fields"].search([("model", "=", "res.partner")], limit=1))
        with self.assertRaises(AccessError):
            env["ir.model.fields"].browse(self.field("ref").id).write({"field_description": "x"})
