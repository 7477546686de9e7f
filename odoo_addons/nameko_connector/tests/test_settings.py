"""The page of Nameko among the settings."""

import os
from unittest.mock import patch

from odoo.exceptions import AccessError, ValidationError
from odoo.tests import Form, tagged

from ..job_store.dispatch import retry_later
from ..tools.configuration import broker_config, broker_source
from .common import MANAGER, ConnectorCase
from .test_configuration import ConfigurationCase

WRONG = {
    "nameko_job_timeout": (0, -1, 2.0**31),
    "nameko_job_max_attempts": (0, -1, 2**31, 10**20),
    "nameko_keep_days": (0, -0.5, 1e9),
    "nameko_instance_days": (0, 1e9),
    "nameko_late_beats": (0, -1, 2**31),
    "nameko_gone_beats": (0, 2, 1, 2**31, -(2**40)),
    "nameko_job_retry_delays": ("", "10;60", "a", "10,,60", "-1", "nan", "inf", "10,"),
    "nameko_allowed_services": (
        "compute mail", "compute;mail x", "a.b", "*", "a" * 201, ",", " ,, ",
    ),
}  # fmt: skip


@tagged("post_install", "-at_install")
class TestSettings(ConnectorCase):
    def settings(self, **values):
        return self.env["res.config.settings"].create(values)

    def parameter(self, name):
        return self.env["ir.config_parameter"].sudo().get_param(f"nameko_connector.{name}")

    def test_defaults_are_those_that_count(self):
        self.env["ir.config_parameter"].sudo().search(
            [("key", "=like", "nameko_connector.%"), ("key", "not like", "identity")]
        ).unlink()
        form = Form(self.env["res.config.settings"])
        self.assertEqual(form.nameko_job_timeout, 3600)
        self.assertEqual(form.nameko_job_max_attempts, 3)
        self.assertEqual(form.nameko_job_retry_delays, "10,60,300")
        self.assertEqual(form.nameko_keep_days, 30)
        self.assertEqual((form.nameko_late_beats, form.nameko_gone_beats), (2, 5))
        self.assertFalse(form.nameko_allowed_services)

    def test_jobs_take_what_was_set(self):
        self.settings(
            nameko_job_timeout=7.5, nameko_job_max_attempts=9, nameko_job_retry_delays="1, 2.5"
        ).execute()
        job = self.env["nameko.rpc"].delay("probe", "method")
        self.assertEqual((job.timeout, job.max_attempts), (7.5, 9))
        retry_later(self.env.cr, job.ids)
        job.invalidate_recordset()
        self.assertTrue(job.eta, "PostgreSQL reads the delays")

    def test_what_is_saved_is_shown_again(self):
        self.settings(nameko_allowed_services="compute, mail", nameko_keep_days=0.5).execute()
        form = Form(self.env["res.config.settings"])
        self.assertEqual(form.nameko_allowed_services, "compute, mail")
        self.assertEqual(form.nameko_keep_days, 0.5)

    def test_values_that_cannot_be_are_refused(self):
        for name, values in WRONG.items():
            for value in values:
                with self.subTest(name=name, value=value), self.assertRaises(ValidationError):
                    self.settings(**{name: value})

    def test_a_number_that_no_column_holds_is_refused_by_its_label(self):
        with self.assertRaisesRegex(ValidationError, "“Maximum Attempts” is 2147483648: it must"):
            self.settings(nameko_job_max_attempts=2**31)
        settings = self.settings()
        with self.assertRaisesRegex(ValidationError, "“Late After .beats.” is"):
            settings.nameko_late_beats = 2**31

    def test_a_number_that_was_set_once_keeps_no_page_shut(self):
        self.set_parameter_unchecked("nameko_connector.job_max_attempts", str(2**40))
        form = Form(self.env["res.config.settings"])
        form.nameko_job_max_attempts = 4
        form.save().execute()
        self.assertEqual(self.parameter("job_max_attempts"), "4")

    def warned(self, names):
        """Return what the page warns of when these services are typed."""
        settings = self.env["res.config.settings"].new({"nameko_allowed_services": names})
        warned = settings._onchange_nameko_allowed_services()
        return warned["warning"]["message"] if warned else ""

    def test_a_typing_error_in_the_allowed_services_is_warned_of(self):
        self.env["nameko.service"].create({"name": "pricing"})
        self.env["nameko.route"].create({"service": "stock"})
        for known in ("", False, "compute, mail", "pricing,stock, compute"):
            self.assertFalse(self.warned(known))
        self.assertIn("has been seen: compte, mial. Check", self.warned("mial, compte, stock"))

    def test_vacuum_takes_the_days_that_were_set(self):
        self.settings(nameko_keep_days=3).execute()
        job = self.env["nameko.rpc"].delay("probe", "method")
        job.action_cancel()
        age = "UPDATE nameko_job SET done_at = done_at - %s * interval '1 day' WHERE id = %s"
        self.env.cr.execute(age, [2, job.id])
        job._gc_finished()
        self.assertTrue(job.exists())
        self.env.cr.execute(age, [2, job.id])
        job._gc_finished()
        self.assertFalse(job.exists())

    def test_what_is_no_number_counts_as_unset(self):
        for name in ("job_timeout", "job_max_attempts", "keep_days"):
            self.set_parameter_unchecked(f"nameko_connector.{name}", "soon")
        job = self.env["nameko.rpc"].delay("probe", "method")
        self.assertEqual((job.timeout, job.max_attempts), (3600, 3))
        job.action_cancel()
        job._gc_finished()
        self.assertTrue(job.exists())

    def test_broker_is_shown_without_password(self):
        settings = self.settings()
        self.assertEqual(settings.nameko_broker, broker_config().address)
        self.assertNotIn(broker_config().password, str(settings.read()))

    def test_test_of_the_connection_names_running_services(self):
        action = self.settings().action_nameko_test_connection()
        self.assertEqual(action["params"]["type"], "success", action)
        self.assertIn("compute (", action["params"]["message"])
        self.assertNotIn(broker_config().password, str(action))

    def test_test_of_the_connection_looks_at_the_allowed_services(self):
        self.settings(nameko_allowed_services="compute").execute()
        message = self.settings().action_nameko_test_connection()["params"]["message"]
        self.assertIn("compute (", message)
        self.assertNotIn("mail (", message)
        self.settings(nameko_allowed_services="never_ran").execute()
        action = self.settings().action_nameko_test_connection()
        self.assertEqual(action["params"]["type"], "danger")
        self.assertEqual(action["params"]["title"], "Connected, but no service is running")
        self.assertIn("none of the known services is running", action["params"]["message"])

    def test_test_of_the_connection_where_no_service_is_known(self):
        self.patch(self.registry["res.config.settings"], "_nameko_services", lambda model: [])
        action = self.settings().action_nameko_test_connection()
        self.assertEqual(action["params"]["type"], "success")
        self.assertIn("has not heard of any service", action["params"]["message"])

    def test_only_administrators_test_the_connection(self):
        manager = self.new_user("not admin", MANAGER)
        with self.assertRaises(AccessError):
            self.env["res.config.settings"].with_user(manager).action_nameko_test_connection()


@tagged("post_install", "-at_install")
class TestSource(ConfigurationCase, ConnectorCase):
    def test_not_configured(self):
        broker_config.cache_clear()
        environment = {key: value for key, value in os.environ.items() if key != "AMQP_URI"}
        with patch.dict(os.environ, environment, clear=True):
            settings = self.env["res.config.settings"].create({})
            self.assertIn("No broker is configured", settings.nameko_broker)
            self.assertFalse(settings.nameko_broker_source)
            action = settings.action_nameko_test_connection()
        self.assertEqual(action["params"]["type"], "danger")
        self.assertIn("AMQP_URI", action["params"]["message"])

    def test_environment(self):
        self.assertEqual(broker_source(), "AMQP_URI")
        self.assertEqual(
            self.env["res.config.settings"].create({}).nameko_broker_source, "AMQP_URI"
        )

    def test_management_uri_is_no_setting_of_the_broker(self):
        text = "[nameko]\namqp_uri = amqp://h/\nmanagement_uri = http://h:15672\n"
        self.assertEqual(self.configuration(text, {}).host, "h")
