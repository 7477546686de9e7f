"""Actions of a user who may write partners."""

from odoo.addons.nameko_connector.tests.server_action.action_case import CONTACTS, ActionCase


class RunAccessCase(ActionCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.other_company = cls.env["res.company"].create({"name": "Elsewhere"})
        cls.user = cls.new_user("runner", *CONTACTS)

    def setUp(self):
        super().setUp()
        self.now = self.new_action()
        self.later = self.new_action(nameko_when="later")
