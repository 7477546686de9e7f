"""Nothing leaves a database that is neutralized, or does not know whether it is a copy."""

import ast
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

from odoo.addons.nameko_compute.tests.common import WithComputations
from odoo.addons.nameko_connector.broker.amqp.request import Request
from odoo.addons.nameko_connector.exceptions import (
    DatabaseNeutralized,
    DatabaseNotConfirmed,
    SendingRefused,
)
from odoo.addons.nameko_connector.models.calls import nameko_rpc
from odoo.addons.nameko_connector.models.jobs.nameko_database import NEUTRALIZED, PARAMETER
from odoo.addons.nameko_connector.tests.common import MANAGER
from odoo.addons.nameko_connector.tests.server_action.action_case import ActionCase
from odoo.exceptions import AccessError
from odoo.tests import tagged

ADDON = Path(__file__).parents[3] / "nameko_connector"
# What reaches the broker or its management, and where the addon uses it outside of `broker/`.
DOORS = {
    "client_for": {"models/calls/nameko_rpc.py"},
    "Consumer": {"relay/relay.py", "relay/fallback.py"},
    "Publisher": {"relay/relay.py", "relay/fallback.py"},
    "BeatsListener": {"relay/catalogue.py"},
    "answering_dead_requests": {"relay/relay.py"},
    "dead_letters": {"wizards/nameko_dead_letter.py"},
    "delete_queues": {"hooks.py"},  # of an uninstalled addon
    "try_broker": {"models/res_config_settings.py"},  # sends nothing to a service
    "queue_report": {"models/catalogue/nameko_service.py"},  # reads
    "service_queues": {"relay/catalogue.py"},  # reads
    "dead_letter_counts": {"relay/catalogue.py"},  # reads
}
GUARDS = {
    "models/calls/nameko_rpc.py": "_check_may_send",
    "relay/relay.py": "identity_of",
    "relay/fallback.py": "identity_of",
    "relay/catalogue.py": "identity_of",
    "wizards/nameko_dead_letter.py": "_check_may_send",
}


def calls_of(path):
    """Return the names of the functions and methods that a file calls."""
    calls = [node.func for node in ast.walk(ast.parse(path.read_text())) if type(node) is ast.Call]
    return {getattr(call, "id", None) or getattr(call, "attr", None) for call in calls}


class WaysOutCase(WithComputations, ActionCase):
    @contextmanager
    def state(self, **parameters):
        """Have system parameters of the database say that nothing may leave it."""
        with patch.object(nameko_rpc, "client_for", side_effect=AssertionError("it was sent")):
            for name, value in parameters.items():
                self.env["ir.config_parameter"].sudo().set_param(KEYS[name], value)
            yield
            for name in parameters:
                self.env["ir.config_parameter"].sudo().set_param(KEYS[name], False)


KEYS = {"neutralized": NEUTRALIZED, "identity": PARAMETER}
STATES = {
    DatabaseNeutralized: {"neutralized": "true"},
    DatabaseNotConfirmed: {"identity": "me@elsewhere"},
}


@tagged("post_install", "-at_install")
class TestWaysOut(WaysOutCase):
    def test_every_way_out_is_known_and_guarded(self):
        found = {name: set() for name in DOORS}
        for path in ADDON.rglob("*.py"):
            name = str(path.relative_to(ADDON))
            if (
                name.startswith(("broker/", "testing/", "tests/"))
                or name == "tools/connection_test.py"
            ):
                continue
            calls = calls_of(path)
            for door in DOORS.keys() & calls:
                found[door].add(name)
            if name in GUARDS:
                self.assertIn(GUARDS[name], calls, name)
        self.assertEqual(found, DOORS)

    def test_every_way_out_is_refused(self):
        rpc, database = self.env["nameko.rpc"], self.env["nameko.database"]
        action = self.new_action()
        trial = self.env["nameko.action.trial"].create(
            {"action_id": action.id, "record_ref": f"res.partner,{self.partner.id}"}
        )
        ways = {
            "call": lambda: rpc.call("compute", "method", 1, 2),
            "call_many": lambda: rpc.call_many([Request("compute", "method", (1, 2))]),
            "a button": self.computation(1, 2).action_suma,
            "many records": (self.computation(1, 2) + self.computation(3, 4)).action_suma,
            "a server action": lambda: self.run_on(action, self.partner),
            "Try It": trial._try,
            "the relay and scheduled actions": database.database_identity,
        }
        for error, parameters in STATES.items():
            for name, way in ways.items():
                with (
                    self.subTest(way=name, error=error.__name__),
                    self.state(**parameters),
                    self.assertRaises(error),
                ):
                    way()

    def test_refusal_says_what_to_do(self):
        for parameters in STATES.values():
            with self.state(**parameters), self.assertRaises(SendingRefused) as caught:
                self.env["nameko.rpc"].call("compute", "method", 1, 2)
            self.assertIn("administrator", str(caught.exception))

    def test_check_costs_no_query_once_it_may_send(self):
        database = self.env["nameko.database"]
        database._check_may_send()
        with self.assertQueryCount(0):
            database._check_may_send()

    def test_answers_are_the_administrators(self):
        manager = self.new_user("no administrator", MANAGER)
        settings = self.env["res.config.settings"].with_user(manager)
        with self.state(identity="me@elsewhere"):
            for answer in (settings.action_nameko_moved, settings.action_nameko_copy):
                with self.assertRaises(AccessError):
                    answer()
            self.assertTrue(self.env["nameko.database"]._is_asking())
