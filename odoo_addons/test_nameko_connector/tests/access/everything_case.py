"""A record of each model, a user of each role, and what each may do."""

from odoo import fields
from odoo.addons.nameko_compute.tests.common import ComputationCase
from odoo.addons.nameko_connector.testing import answered_calls
from odoo.addons.nameko_connector.tests.common import MANAGER, USER
from odoo.exceptions import AccessError, UserError
from odoo.service.model import call_kw
from odoo.tools import mute_logger

from . import access_table as table

ADDONS = ("nameko_connector", "nameko_compute")
PACKAGES = tuple(
    f"odoo.addons.{addon}.{room}" for addon in ADDONS for room in ("models", "wizards")
)
GROUPS = {
    table.PUBLIC: ("base.group_public",),
    table.PORTAL: ("base.group_portal",),
    table.INTERNAL: ("base.group_user",),
    table.USER: (USER,),
    table.OWNER: (USER,),
    table.MANAGER: (MANAGER,),
    table.STRANGER: (MANAGER,),
}
ANSWERS = {"compute.method": 3, "compute.compute": 3, "compute.map": [3]}


def is_ours(something):
    return something.__module__.startswith(PACKAGES)


class EverythingCase(ComputationCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        elsewhere = cls.env["res.company"].create({"name": "Elsewhere"})
        cls.users = {
            role: cls.new_user(
                f"everything_{role}", *groups, company=elsewhere if role == "stranger" else None
            )
            for role, groups in GROUPS.items()
        }

    def setUp(self):
        super().setUp()
        self.records = self.everything()
        self.env.flush_all()

    def everything(self):
        """One record of each model, with what it needs."""
        return {**self.jobs(), **self.monitoring(), **self.catalogue(), **self.actions()}

    def jobs(self):
        computation = self.of("nameko.compute", "owner").create({"value": 1, "other": 2})
        job = computation.env["nameko.rpc"].delay("compute", "method", 1, 2, record=computation)
        retry = {"job_id": job.id, "positional": "[1, 2]", "named": "{}"}
        return {
            "nameko.compute": computation,
            "nameko.job": job,
            "nameko.batch": computation.env["nameko.batch"]._begin("Everything").sudo(False),
            "nameko.job.attempt": self.env["nameko.job.attempt"].create({"job_id": job.id}),
            "nameko.job.retry": self.of("nameko.job.retry", "manager").create(retry),
            "nameko.job.reschedule": self.of("nameko.job.reschedule", "manager").create(
                {"job_ids": [(6, 0, job.ids)]}
            ),
        }

    def monitoring(self):
        now = fields.Datetime.now()
        failure = {"key": "everything", "service": "compute", "company_id": self.env.company.id}
        minute = {"service": "everything", "minute": now, "state": "done", "jobs": 1}
        viewer = {"connection": "everything", "channel": "x", "since": now}
        letters = self.of("nameko.dead.letter", "manager").sudo()
        return {
            "nameko.failure": self.env["nameko.failure"].create(failure),
            "nameko.job.count": self.env["nameko.job.count"].create({"service": "everything"}),
            "nameko.job.minute": self.env["nameko.job.minute"].create(minute),
            "nameko.live.viewer": self.env["nameko.live.viewer"].create(viewer),
            "nameko.dead.letter": letters.create({"name": "x"}),
        }

    def catalogue(self):
        service = self.env["nameko.service"].create({"name": "everything"})
        method = self.env["nameko.method"].create(
            {"service": service.name, "service_id": service.id, "name": "quote"}
        )
        trials = self.of("nameko.method.trial", "manager")
        policy = self.env["nameko.policy"].create({"service": service.name, "is_paused": True})
        start = {"policy_ref": policy.id, "jobs": 1, "began": fields.Datetime.now()}
        start["moment"] = start["began"]
        pauses = self.of("nameko.policy.pause", "manager")
        return {
            "nameko.policy": policy,
            "nameko.policy.start": self.env["nameko.policy.start"].create(start),
            "nameko.policy.pause": pauses.create({"service_id": service.id}),
            "nameko.service": service,
            "nameko.instance": self.env["nameko.instance"].create({"uuid": "x", "host": "x"}),
            "nameko.route": self.env["nameko.route"].create({"service": "everything"}),
            "nameko.method": method,
            "nameko.method.trial": trials.create({"method_id": method.id}),
        }

    def actions(self):
        action = self.action()
        trials = self.of("nameko.action.trial", "manager")
        schedule = {"ir_actions_server_id": self.action().id, "interval_number": 1}
        return {
            "nameko.action.parameter": action.nameko_parameter_ids,
            "nameko.action.trial": trials.create({"action_id": action.id}),
            "ir.actions.server": action,
            "ir.cron": self.env["ir.cron"].create(schedule),
            "res.config.settings": self.env["res.config.settings"].create({}),
        }

    def action(self):
        return self.env["ir.actions.server"].create(
            {
                "name": "Everything",
                "model_id": self.env["ir.model"]._get_id("nameko.compute"),
                "state": "nameko",
                "nameko_service": "compute",
                "nameko_method": "method",
                "nameko_result_kind": "nothing",
                "nameko_parameter_ids": [(0, 0, {"name": "value", "value": "1"})],
            }
        )

    def of(self, model, role):
        return self.env[model].with_user(self.users[role])

    def is_allowed(self, attempt):
        """Try; what is refused asks no service. Whatever it did is undone."""
        savepoint = self.env.cr.savepoint()
        self.env.invalidate_all()  # the cache knows no rights
        try:
            with answered_calls(ANSWERS) as requests, mute_logger("odoo.addons.base.models"):
                attempt()
                self.env.flush_all()
        except AccessError:
            self.assertEqual(requests, [])
            return False
        except UserError:
            return True  # it was let in, and told what is wrong
        finally:
            savepoint.close(rollback=True)
            self.env.invalidate_all()
        return True

    def check(self, allowed, what, attempt_as):
        for role in table.ROLES:
            with self.subTest(role=role, what=what):
                self.assertEqual(self.is_allowed(lambda: attempt_as(role)), role in allowed)  # noqa: B023

    def call(self, role, model, method, *args):
        """Call as /web/dataset/call_kw and /json/2 do."""
        records = self.of(model, role)
        is_of_the_model = getattr(getattr(type(records), method), "_api_model", False)
        ids = () if is_of_the_model else (self.records[model].ids,)
        return call_kw(records, method, [*ids, *args], {})
