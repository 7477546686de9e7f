"""What the addon's tests share. The services that they call are the running stack's."""

from odoo.tests import TransactionCase

USER = "nameko_connector.group_nameko_user"
MANAGER = "nameko_connector.group_nameko_manager"
QUIETLY = {"no_reset_password": True, "tracking_disable": True, "mail_notrack": True}


class ConnectorCase(TransactionCase):
    def set_parameter_unchecked(self, key, value):
        """Set a system parameter to what an earlier version took."""
        self.env["ir.config_parameter"].sudo().set_param(key, "1")
        self.env.cr.execute(
            "UPDATE ir_config_parameter SET value = %s WHERE key = %s", [value, key]
        )
        self.env.registry.clear_cache()

    @classmethod
    def new_user(cls, login, *groups, company=None):
        """Create a user, without an invitation: it would take most of a test's time."""
        company = company or cls.env.company
        users = cls.env["res.users"].with_context(**QUIETLY)
        user = users.create(
            {
                "name": login,
                "login": login,
                "email": f"{login}@example.com",
                "company_id": company.id,
                "company_ids": [(6, 0, company.ids)],
                "group_ids": [(6, 0, [cls.env.ref(group).id for group in groups])],
            }
        )
        return user.with_env(cls.env)


class AccessCase(ConnectorCase):
    """Two users and a manager of one company, and another company."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.other_company = cls.env["res.company"].create({"name": "Other company"})
        cls.user = cls.new_user("user", USER)
        cls.colleague = cls.new_user("colleague", USER)
        cls.manager = cls.new_user("manager", MANAGER)
