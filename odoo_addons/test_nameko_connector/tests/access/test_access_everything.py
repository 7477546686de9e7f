"""Each model, method, button, action and route of the addon, tried as each kind of user.

What exists is found by introspection, what is expected stands in access_table.py: whatever is new
must be put there first.
"""

import inspect
from unittest.mock import patch

from lxml import etree

from odoo import http
from odoo.addons.nameko_connector.models.jobs.nameko_job import NamekoJob
from odoo.exceptions import AccessError
from odoo.service.model import call_kw, get_public_method
from odoo.tests import tagged

from . import access_table as table
from .everything_case import ADDONS, EverythingCase, is_ours


@tagged("post_install", "-at_install")
class TestEverythingIsInTheTable(EverythingCase):
    def models(self):
        return {
            name
            for name in self.env.registry
            if self.env[name]._original_module in ADDONS and not name.startswith("nameko_c")
        }

    def methods(self):
        """Every method of the addons that can be called over the web, on each of its models."""
        found = set()
        for model in self.env.registry:
            records = self.env[model]
            if records._abstract and model not in self.models():
                continue
            for definition in filter(is_ours, type(records).__mro__):
                for name, value in vars(definition).items():
                    if inspect.isfunction(value) and self.is_public(records, name):
                        found.add((model, name))
        return found

    def is_public(self, records, name):
        try:
            get_public_method(records, name)
        except AccessError:
            return False
        return True

    def data(self, model):
        return self.env["ir.model.data"].search([("module", "in", ADDONS), ("model", "=", model)])

    def test_models(self):
        self.assertEqual(self.models(), {*table.MODELS, *table.ABSTRACT})

    def test_methods(self):
        known = {(model, name) for model, name in self.methods() if name in table.OVERRIDES}
        expected = {key for key in table.METHODS if key != ("ir.actions.server", "run")}
        names = ("action_nameko_jobs", "action_nameko_cancel")
        abstract = {("nameko.job.mixin", name) for name in names}
        self.assertEqual(self.methods() - known, expected | abstract)

    def test_new_method_is_noticed(self):
        before = self.methods()
        with patch.object(NamekoJob, "action_new", lambda self: None, create=True):
            self.assertEqual(self.methods() - before, {("nameko.job", "action_new")})

    def test_buttons(self):
        """Of type object; the others open or run an action, which the next test knows."""
        found = set()
        for view in self.env["ir.ui.view"].browse(self.data("ir.ui.view").mapped("res_id")):
            for button in etree.fromstring(view.arch).iter("button"):
                if button.get("type") == "object":
                    found.add((self.model_of(view, button), button.get("name")))
        self.assertEqual(found - {*table.METHODS}, table.BUTTONS_OF_ODOO & found)

    def model_of(self, view, button):
        """Return the model of the view, or of the list in it, that has the button."""
        model = self.env[view.model]
        for field in reversed(list(button.iterancestors("field"))):
            if "position" not in field.attrib:  # which only says where something goes
                model = self.env[model._fields[field.get("name")].comodel_name]
        return model._name

    def test_actions(self):
        names = set(self.data("ir.actions.server").mapped("name"))
        crons = set(self.data("ir.cron").mapped("name"))
        of_crons = {f"{name}_ir_actions_server" for name in crons}
        self.assertEqual(names - of_crons, set(table.SERVER_ACTIONS))
        self.assertEqual(crons, set(table.SCHEDULED_ACTIONS))
        windows = self.data("ir.actions.act_window").mapped("res_id")
        shown = set(self.env["ir.actions.act_window"].browse(windows).mapped("res_model"))
        self.assertLessEqual(shown, {*table.MODELS, "ir.actions.server", "res.config.settings"})
        clients = self.data("ir.actions.client").mapped("name")
        self.assertEqual(clients, ["nameko_overview_action"])  # which calls read_overview
        self.assertFalse(self.data("ir.actions.report"))

    def test_controllers(self):
        ours = [
            each for addon in ADDONS for each in http.Controller.children_classes.get(addon, ())
        ]
        self.assertEqual({controller.__name__ for controller in ours}, table.CONTROLLERS)


@tagged("post_install", "-at_install")
class TestEverythingIsTried(EverythingCase):
    def test_records(self):
        for model, rights in table.MODELS.items():
            written = dict(rights.written)
            for name, allowed, args in (
                ("read", rights.read, (["display_name"],)),
                ("write", rights.write, (written,)),
                ("unlink", rights.unlink, ()),
            ):
                self.check(
                    allowed,
                    f"{model}.{name}",
                    lambda role: self.call(role, model, name, *args),  # noqa: B023
                )

    def test_creation(self):
        owners = {
            "action_id": self.records["ir.actions.server"].id,
            "job_id": self.records["nameko.job"].id,
            "method_id": self.records["nameko.method"].id,
            "service_id": self.records["nameko.service"].id,
        }
        for model, rights in table.MODELS.items():
            values = {name: owners.get(name, value) for name, value in rights.created.items()}
            self.check(
                rights.create,
                f"{model}.create",
                lambda role: call_kw(self.of(model, role), "create", [[values]], {}),  # noqa: B023
            )

    def test_actions_of_services_are_designed_by_managers(self):
        values = {"name": "Mine", "model_id": self.records["ir.actions.server"].model_id.id,
                  "state": "nameko", "nameko_service": "compute", "nameko_method": "method",
                  "nameko_result_kind": "nothing"}  # fmt: skip
        for name, args in (("write", ({"name": "Mine"},)), ("unlink", ())):
            self.check(
                table.MANAGERS,
                name,
                lambda role: self.call(role, "ir.actions.server", name, *args),  # noqa: B023
            )
        self.check(
            table.MANAGERS,
            "create",
            lambda role: call_kw(self.of("ir.actions.server", role), "create", [[values]], {}),
        )

    def test_methods(self):
        for (model, name), allowed in table.METHODS.items():
            args = table.ARGUMENTS.get((model, name), ())
            self.check(
                allowed,
                f"{model}.{name}",
                lambda role: self.call(role, model, name, *args),  # noqa: B023
            )

    def ref_of(self, name):
        """Return the record that one of the addons calls so."""
        found = (self.env.ref(f"{addon}.{name}", raise_if_not_found=False) for addon in ADDONS)
        return next(filter(None, found))

    def run_action(self, role, name, **context):
        action = self.ref_of(name).with_user(self.users[role]).sudo(False)
        server_action = self.env["ir.actions.server"].browse(
            action.sudo().ir_actions_server_id.id if action._name == "ir.cron" else action.id
        )
        return call_kw(
            server_action.with_user(self.users[role]), "run", [server_action.ids],
            {"context": context},
        )  # fmt: skip

    def test_server_actions(self):
        for name, allowed in table.SERVER_ACTIONS.items():
            model = self.ref_of(name).model_id.model
            context = {"active_model": model, "active_ids": self.records[model].ids}
            self.check(allowed, name, lambda role: self.run_action(role, name, **context))  # noqa: B023

    def test_scheduled_actions(self):
        for name, allowed in table.SCHEDULED_ACTIONS.items():
            self.check(allowed, name, lambda role: self.run_action(role, name))  # noqa: B023
