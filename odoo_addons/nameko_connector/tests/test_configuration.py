"""Where the broker's address comes from."""

import os
import tempfile
from unittest.mock import patch

from odoo.tests import BaseCase, TransactionCase, tagged
from odoo.tools import config

from ..broker.amqp.config import InvalidBrokerConfig
from ..exceptions import NotConfigured
from ..tools.configuration import broker_config


class ConfigurationCase:
    def setUp(self):
        super().setUp()
        self.addCleanup(broker_config.cache_clear)
        self.options = dict(config.options)

    def configuration(self, text="", environment=None, **options):
        """Read the settings from an odoo.conf, from options, and from an environment."""
        broker_config.cache_clear()
        with tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
            file.write(text)
            file.flush()
            options = {**self.options, "config": file.name, **options}
            with (
                patch.object(config, "options", options),
                patch.dict(os.environ, environment or {}, clear=environment is not None),
            ):
                return broker_config()


@tagged("post_install", "-at_install")
class TestSources(ConfigurationCase, BaseCase):
    def test_section_of_odoo_conf(self):
        found = self.configuration("[nameko]\namqp_uri = amqp://file:x@file/\ntimeout = 2.5\n", {})
        self.assertEqual((found.uri, found.timeout), ("amqp://file:x@file/", 2.5))

    def test_options_of_odoo_conf(self):
        found = self.configuration(environment={}, nameko_amqp_uri="amqp://option:x@option/")
        self.assertEqual(found.uri, "amqp://option:x@option/")

    def test_environment_wins(self):
        text = "[nameko]\namqp_uri = amqp://file:x@file/\n"
        found = self.configuration(text, {"AMQP_URI": "amqp://environment:x@environment/"})
        self.assertEqual(found.uri, "amqp://environment:x@environment/")

    def test_no_address_says_where_to_put_it(self):
        with self.assertRaisesRegex(InvalidBrokerConfig, "AMQP_URI"):
            self.configuration("", {})

    def test_unknown_setting_is_named(self):
        with self.assertRaisesRegex(InvalidBrokerConfig, "time_out"):
            self.configuration("[nameko]\namqp_uri = amqp://h/\ntime_out = 2\n", {})


@tagged("post_install", "-at_install")
class TestUser(ConfigurationCase, TransactionCase):
    def test_user_reads_what_is_missing(self):
        broker_config.cache_clear()
        environment = {key: value for key, value in os.environ.items() if key != "AMQP_URI"}
        with patch.dict(os.environ, environment, clear=True), self.assertRaises(NotConfigured):
            self.env["nameko.rpc"].call("compute", "method", 1, 2)
