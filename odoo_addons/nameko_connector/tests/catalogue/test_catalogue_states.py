"""Instances that become late or gone, or come back: activities for managers, and deletion."""

from dataclasses import replace

from odoo.exceptions import UserError
from odoo.tests import tagged

from ...models.catalogue.nameko_service import MOST_NOTIFIED
from ..common import MANAGER, USER
from .catalogue_case import CatalogueCase, beat, method, service


@tagged("post_install", "-at_install")
class TestStates(CatalogueCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.manager = cls.new_user("catalogue manager", MANAGER)

    def setUp(self):
        super().setUp()
        self.keep(self.pricing)

    def states(self):
        return self.instance(self.pricing).state, self.service().state

    def activities(self):
        return self.service().activity_ids.filtered(lambda a: a.user_id == self.manager)

    def test_late_after_the_missed_beats_of_the_settings(self):
        self.pass_time(2 * 30 + 9)
        self.keep()
        self.assertEqual(self.states(), ("up", "up"))
        self.pass_time(2)
        self.keep()
        self.assertEqual(self.states(), ("late", "late"))

    def test_gone_after_more_missed_beats(self):
        self.pass_time(75)
        self.keep()
        self.pass_time(89)
        self.keep()
        self.assertEqual(self.states(), ("late", "late"))
        self.pass_time(2)
        self.keep()
        self.assertEqual(self.states(), ("gone", "gone"))

    def test_limits_of_the_settings_count(self):
        parameters = self.env["ir.config_parameter"].sudo()
        parameters.set_param("nameko_connector.late_beats", "10")
        parameters.set_param("nameko_connector.gone_beats", "11")
        self.pass_time(10 * 30)
        self.keep()
        self.assertEqual(self.states(), ("up", "up"))
        self.pass_time(20)
        self.keep()
        self.pass_time(31)
        self.keep()
        self.assertEqual(self.states(), ("gone", "gone"))

    def test_limits_that_are_no_numbers_do_not_count(self):
        for nonsense in ("soon", "-1", "0", "nan", "inf"):
            self.set_parameter_unchecked("nameko_connector.late_beats", nonsense)
            self.keep()
        self.pass_time(75)
        self.keep()
        self.assertEqual(self.states(), ("late", "late"))

    def test_nobody_is_gone_at_once_after_a_time_without_relay(self):
        self.pass_time(100_000)
        self.keep()
        self.assertEqual(self.states(), ("late", "late"))
        self.keep(self.pricing)
        self.assertEqual(self.states(), ("up", "up"))
        self.assertFalse(self.activities())

    def test_each_instance_has_its_own_interval(self):
        self.keep(fast := beat(service("pricing"), interval=1))
        self.pass_time(15)
        self.keep()
        self.assertEqual(self.instance(fast).state, "late")
        self.assertEqual(self.states(), ("up", "up"))

    def test_orderly_stop_is_no_loss(self):
        self.keep(replace(self.pricing, stopping=True, services=()))
        self.assertEqual(self.states(), ("stopped", "stopped"))
        self.pass_time(100_000)
        self.keep()
        self.assertEqual(self.states(), ("stopped", "stopped"))
        self.assertEqual(self.service().gone_count, 0)
        self.assertEqual(self.service().method_ids.mapped("name"), ["quote"])
        self.assertFalse(self.activities())

    def test_instance_that_has_stopped_is_back_when_it_goes_on_beating(self):
        """Somebody else said goodbye in its name; a beat that was under way does not count."""
        self.keep(replace(self.pricing, stopping=True))
        self.keep(self.pricing)
        self.assertEqual(self.states(), ("stopped", "stopped"))
        self.pass_time(30)
        self.keep(self.pricing)
        self.assertEqual(self.states(), ("up", "up"))

    def test_service_is_what_its_last_instance_was(self):
        other = beat(service("pricing", self.quote))
        self.keep(other)
        self.lose(other)
        self.keep(replace(other, stopping=True))
        self.assertEqual(self.service().state, "stopped")

    def test_goodbye_of_a_stranger_is_nothing(self):
        stranger = replace(beat(service("strange", self.quote)), stopping=True)
        self.keep(stranger)
        self.assertFalse(self.instance(stranger) or self.service("strange"))

    def test_managers_are_told_once_when_no_instance_is_left(self):
        self.lose()
        self.keep()
        self.lose()
        self.assertEqual(len(self.activities()), 1)
        self.assertIn("All instances", self.activities().summary)

    def test_managers_are_not_told_while_another_instance_runs(self):
        other = beat(service("pricing", self.quote))
        self.keep(other)
        self.lose(other)
        self.assertEqual(self.states(), ("gone", "up"))
        self.assertEqual((self.service().up_count, self.service().gone_count), (1, 1))
        self.assertFalse(self.activities())

    def test_managers_get_a_few_activities_when_many_services_are_gone(self):
        services = [service(f"forged{number}", self.quote) for number in range(MOST_NOTIFIED + 5)]
        self.keep(beat(*services))
        self.lose()
        self.keep(beat(service("another", self.quote)))
        self.lose()
        told = self.env["nameko.service"].search([("activity_ids", "!=", False)])
        self.assertEqual(len(told), MOST_NOTIFIED)
        gone = self.env["nameko.service"].search([("name", "like", "forged")])
        self.assertEqual(set(gone.mapped("state")), {"gone"})

    def test_managers_are_not_told_of_services_without_methods(self):
        silent = beat(service("silent"))
        self.keep(silent)
        self.lose()
        self.assertEqual(self.service("silent").state, "gone")
        self.assertFalse(self.service("silent").activity_ids)

    def test_users_are_not_told(self):
        user = self.new_user("catalogue user", USER)
        self.lose()
        self.assertNotIn(user, self.service().activity_ids.user_id)

    def test_no_mail_is_sent_by_the_relay(self):
        before = self.env["mail.mail"].sudo().search_count([])
        self.lose()
        self.assertEqual(self.env["mail.mail"].sudo().search_count([]), before)

    def test_activities_close_when_the_service_is_back(self):
        self.lose()
        self.keep(beat(service("pricing", self.quote)))
        self.assertEqual(self.service().state, "up")
        self.assertFalse(self.activities())
        said = self.service().message_ids.mapped("preview")
        self.assertEqual(len(said), 2, said)

    def test_next_time_managers_are_told_again(self):
        self.lose()
        self.keep(self.pricing)
        self.lose()
        self.assertEqual(len(self.activities()), 1)

    def test_manager_can_see_to_the_activity(self):
        self.lose()
        self.activities().with_user(self.manager).action_feedback("I have started it.")
        self.assertFalse(self.activities())


@tagged("post_install", "-at_install")
class TestForgetting(CatalogueCase):
    def test_gone_instances_are_deleted_after_some_days(self):
        self.keep(self.pricing)
        self.lose()
        self.instances._gc_gone()
        self.assertTrue(self.instance(self.pricing))
        self.pass_time(8 * 86_400)
        self.instances._gc_gone()
        self.assertFalse(self.instance(self.pricing))
        self.assertEqual((self.service().state, self.service().gone_count), ("unknown", 0))
        self.assertTrue(self.service().method_ids)

    def test_methods_that_no_instance_has_are_deleted_after_some_days(self):
        self.keep(self.pricing)
        newer = beat(service("pricing", method("discount")))
        self.keep(newer, replace(self.pricing, stopping=True))
        every = self.env["nameko.method"].with_context(active_test=False)
        domain = [("service", "=", "pricing")]
        every._gc_archived()
        self.assertEqual(len(every.search(domain)), 2)
        self.env.flush_all()
        self.env.cr.execute("UPDATE nameko_method SET write_date = write_date - interval '8 d'")
        self.env.invalidate_all()
        every._gc_archived()
        self.assertEqual(every.search(domain).mapped("name"), ["discount"])

    def test_instances_that_run_are_not_deleted(self):
        self.keep(self.pricing)
        self.pass_time(8 * 86_400)
        self.instances._gc_gone()
        self.assertTrue(self.instance(self.pricing))

    def test_services_that_are_gone_can_be_deleted_and_come_back(self):
        self.keep(self.pricing)
        manager = self.new_user("catalogue manager", MANAGER)
        with self.assertRaisesRegex(UserError, "is running"):
            self.service().with_user(manager).unlink()
        self.lose()
        self.service().with_user(manager).unlink()
        self.assertFalse(self.env["nameko.method"].search([("service", "=", "pricing")]))
        self.keep(self.pricing)
        self.assertEqual(self.service().method_ids.mapped("name"), ["quote"])
