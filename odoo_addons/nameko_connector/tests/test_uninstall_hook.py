"""What the hook of the uninstallation does about the broker; tests/jobs really uninstalls."""

from unittest.mock import patch

from odoo.tests import TransactionCase, tagged

from .. import hooks
from ..broker.amqp.config import BrokerConfig
from ..models.jobs.nameko_database import PARAMETER


@tagged("post_install", "-at_install")
class TestUninstallHook(TransactionCase):
    def test_broker_that_is_away_is_named_with_the_queues(self):
        away = BrokerConfig.from_mapping({"uri": "amqp://guest:guest@127.0.0.1:1/"})
        with (
            patch.object(hooks, "broker_config", lambda: away),
            self.assertLogs(hooks.__name__, "WARNING") as logs,
        ):
            hooks._delete_queues(["nameko_connector.dead-x"])
        self.assertRegex(logs.output[0], "nothing listens there.*nameko_connector.dead-x")

    def test_copy_leaves_the_queues_of_its_original(self):
        place = self.env["nameko.database"]._place()
        parameters = self.env["ir.config_parameter"]
        for stored, count in ((f"me@{place}", 5), ("me@elsewhere", 0), ("", 0)):
            parameters.set_param(PARAMETER, stored)
            self.env.flush_all()
            self.assertEqual(len(hooks._queues(self.env)), count, stored)
