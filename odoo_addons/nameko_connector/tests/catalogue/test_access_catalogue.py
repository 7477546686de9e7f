"""Who sees and touches the catalogue, the settings and the wizard, and by which ways."""

from odoo.exceptions import AccessError, UserError
from odoo.tests import tagged

from ..common import MANAGER, USER, ConnectorCase
from .catalogue_case import CatalogueCase, beat, method, service

STRANGERS = (USER, "base.group_user", "base.group_portal", "base.group_public")
MODELS = ("nameko.service", "nameko.instance", "nameko.method")


@tagged("post_install", "-at_install")
class TestCatalogueAccess(CatalogueCase):
    def setUp(self):
        super().setUp()
        self.keep(beat(service("access", method("quote"))))
        self.seen = self.service("access")
        self.other_company = self.env["res.company"].create({"name": "Other company"})

    def test_managers_of_every_company_see_the_same(self):
        for company in (self.env.company, self.other_company):
            manager = self.new_user(f"manager of {company.name}", MANAGER, company=company)
            seen = self.seen.with_user(manager)
            self.assertEqual(seen.method_ids.name, "quote")
            self.assertEqual(seen.instance_ids.host, "host")

    def test_nobody_else_sees_it(self):
        for group in STRANGERS:
            stranger = self.new_user(group.replace(".", "_"), group)
            for model in MODELS:
                with self.subTest(group=group, model=model), self.assertRaises(AccessError):
                    self.env[model].with_user(stranger).search([])

    def test_nobody_else_asks_rabbitmq(self):
        for group in STRANGERS:
            stranger = self.new_user(group.replace(".", "_"), group)
            with self.subTest(group=group), self.assertRaises(AccessError):
                self.seen.with_user(stranger).action_refresh_queue()

    def test_manager_asks_rabbitmq(self):
        manager = self.new_user("asking manager", MANAGER, company=self.other_company)
        self.seen.with_user(manager).action_refresh_queue()
        self.assertTrue(self.seen.queue_checked_at)

    def test_manager_writes_nothing_into_it(self):
        manager = self.new_user("writing manager", MANAGER)
        seen = self.seen.with_user(manager)
        for record in (seen, seen.method_ids, seen.instance_ids):
            with self.assertRaises(AccessError):
                record.write({"create_uid": manager.id})
            with self.assertRaises(AccessError):
                record.create({})
        for record in (seen.method_ids, seen.instance_ids):
            with self.assertRaises(AccessError):
                record.unlink()
        with self.assertRaises(UserError):
            seen.unlink()

    def test_menus_are_shown_to_whom_they_serve(self):
        services = self.env.ref("nameko_connector.menu_nameko_service").id
        settings = self.env.ref("nameko_connector.menu_nameko_settings").id
        for groups, expected in (
            ([USER], set()),
            ([MANAGER], {services}),
            ([MANAGER, "base.group_system"], {services, settings}),
            (["base.group_user"], set()),
        ):
            user = self.new_user(f"menu of {groups}", *groups)
            visible = self.env["ir.ui.menu"].with_user(user)._visible_menu_ids()
            self.assertEqual(visible & {services, settings}, expected, groups)


@tagged("post_install", "-at_install")
class TestSettingsAccess(ConnectorCase):
    def test_only_administrators_read_and_write_settings(self):
        for group in (MANAGER, *STRANGERS):
            stranger = self.new_user(group.replace(".", "_"), group)
            settings = self.env["res.config.settings"].with_user(stranger)
            with self.subTest(group=group):
                with self.assertRaises(AccessError):
                    settings.create({"nameko_allowed_services": "compute"})
                with self.assertRaises(AccessError):
                    settings.action_nameko_test_connection()
                with self.assertRaises(AccessError):
                    settings.env["ir.config_parameter"].get_param("nameko_connector.keep_days")

    def test_administrator_does(self):
        administrator = self.new_user("administrator", "base.group_system")
        settings = self.env["res.config.settings"].with_user(administrator)
        settings.create({"nameko_allowed_services": "compute"}).execute()
        self.assertTrue(settings.action_nameko_test_connection())
