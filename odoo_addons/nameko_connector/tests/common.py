"""What the addon's tests share. The services that they call are the running stack's."""

from odoo.tests import TransactionCase

USER = "nameko_connector.group_nameko_user"
MANAGER = "nameko_connector.group_nameko_manager"


class ConnectorCase(TransactionCase):
    def set_parameter_unchecked(self, key, value):
        """Set a system parameter to what an earlier version took."""
        self.env["ir.config_parameter"].sudo().set_param(key, "1")
        self.env.cr.execute(
            "UPDATE ir_config_parameter SET value = %s WHERE key = %s", [value, key]
        )
        self.env.registry.clear_cache()

    def new_user(self, login, *groups, company=None):
        company = company or self.env.company
        return self.env["res.users"].create(
            {
                "name": login,
                "login": login,
                "email": f"{login}@example.com",
                "company_id": company.id,
                "company_ids": [(6, 0, company.ids)],
                "group_ids": [(6, 0, [self.env.ref(group).id for group in groups])],
            }
        )


class AccessCase(ConnectorCase):
    """Two users and a manager of one company, and another company."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.other_company = cls.env["res.company"].create({"name": "Other company"})

    def setUp(self):
        super().setUp()
        self.user = self.new_user("user", USER)
        self.colleague = self.new_user("colleague", USER)
        self.manager = self.new_user("manager", MANAGER)
