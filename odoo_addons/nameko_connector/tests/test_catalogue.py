"""What beats make of the catalogue."""

import json
import uuid
from dataclasses import replace
from datetime import datetime

from odoo.exceptions import UserError
from odoo.tests import tagged

from ..broker.beats.beat import Beat, read_beat
from ..broker.jobs.reply import Delivery
from ..job_store.rows import NOW
from ..models.catalogue import nameko_instance_beats, nameko_method, nameko_service_keep
from ..models.catalogue.nameko_service import LIVE, MOST_TOLD
from .common import MANAGER, USER, ConnectorCase


def method(name, *parameters, doc=""):
    told = [{"name": each, "kind": "POSITIONAL_OR_KEYWORD"} for each in parameters]
    return {"name": name, "doc": doc, "parameters": told}


def service(name, *methods, doc=""):
    return {"name": name, "doc": doc, "methods": list(methods)}


def beat(*services, **said) -> Beat:
    """What an instance's beat is read as."""
    body = {
        "id": str(uuid.uuid4()),
        "host": "host",
        "pid": 7,
        "version": "1.0",
        "started": "2026-01-02T03:04:05+02:00",
        "interval": 30.0,
        "services": list(services),
    }
    read = read_beat(Delivery(1, "", "application/json", json.dumps(body | said)))
    assert read is not None
    return read


class CatalogueCase(ConnectorCase):
    def setUp(self):
        super().setUp()
        self.instances = self.env["nameko.instance"]
        self.quote = method("quote", "order", doc="Say the price.")
        self.pricing = beat(service("pricing", self.quote, doc="Prices."))

        self.patch(nameko_instance_beats, "LEARN_SECONDS", 3600)
        self.patch(nameko_instance_beats, "_warned", {})
        self.env.cr.execute(f"SELECT {NOW}")
        self.clock = self.env.cr.fetchone()[0].replace(microsecond=0)
        self.patch(nameko_instance_beats, "NOW", f"TIMESTAMP '{self.clock}'")  # stands still

    def keep(self, *beats):
        while not self.instances.keep(beats):  # the stack's relay is at it, for a moment
            continue

    def instance(self, kept):
        return self.instances.search([("uuid", "=", kept.uuid)])

    def service(self, name="pricing"):
        return self.env["nameko.service"].search([("name", "=", name)])

    def pass_time(self, seconds):
        """Let the past of these tests' instances be so much longer ago."""
        self.env.flush_all()
        self.env.cr.execute(
            "UPDATE nameko_instance SET last_seen = last_seen - make_interval(secs => %(s)s),"
            " late_since = late_since - make_interval(secs => %(s)s) WHERE host = 'host'",
            {"s": seconds},
        )
        self.env.invalidate_all()

    def lose(self, *others):
        """Let all instances miss their beats until they are gone, but for these."""
        for _ in range(2):
            self.pass_time(1000)
            self.keep(*others)


@tagged("post_install", "-at_install")
class TestLearning(CatalogueCase):
    def test_what_an_instance_works_on(self):
        busy = beat(service("pricing", self.quote), running={"pricing.quote": 12, "pricing.x": 1})
        self.keep(busy)
        self.keep(busy)
        self.assertEqual(self.instance(busy).running, "pricing.quote: 12, pricing.x: 1")
        self.keep(replace(busy, running=""))
        self.assertFalse(self.instance(busy).running)
        self.keep(busy)
        self.keep(replace(busy, stopping=True))
        self.assertFalse(self.instance(busy).running)

    def test_beat_lists_instance_service_and_methods(self):
        self.keep(self.pricing)
        instance, pricing = self.instance(self.pricing), self.service()
        self.assertEqual((instance.host, instance.pid, instance.state), ("host", 7, "up"))
        self.assertEqual(instance.started, datetime(2026, 1, 2, 1, 4, 5))
        self.assertEqual(instance.service_ids, pricing)
        self.assertEqual((pricing.doc, pricing.state, pricing.up_count), ("Prices.", "up", 1))
        self.assertEqual(pricing.method_ids.mapped("display_name"), ["pricing.quote"])
        self.assertEqual(pricing.method_ids.signature, "(order)")
        self.assertEqual(pricing.method_ids.doc, "Say the price.")

    def test_last_seen_is_by_the_clock_of_the_database(self):
        self.keep(beat(service("pricing"), started="2099-01-01T00:00:00+00:00"))
        self.env.cr.execute(
            "SELECT clock_timestamp() AT TIME ZONE 'UTC' - last_seen < interval '1 minute'"
            " FROM nameko_instance WHERE host = 'host'"
        )
        self.assertEqual(self.env.cr.fetchall(), [(True,)])

    def test_instances_of_one_service_are_counted(self):
        self.keep(self.pricing, beat(service("pricing", self.quote)))
        self.assertEqual(self.service().up_count, 2)
        self.assertEqual(len(self.service().method_ids), 1)

    def test_methods_are_those_of_all_instances_that_run(self):
        self.keep(self.pricing)
        known = self.service().method_ids
        newer = beat(service("pricing", method("discount", "order", "rate")))
        self.keep(newer)
        self.assertEqual(set(self.service().method_ids.mapped("name")), {"discount", "quote"})
        self.keep(replace(self.pricing, stopping=True))
        self.assertEqual(self.service().method_ids.mapped("name"), ["discount"])
        self.assertFalse(known.active, "who refers to it still can")
        self.keep(beat(service("pricing", self.quote)))
        self.assertEqual(set(self.service().method_ids.mapped("name")), {"discount", "quote"})
        self.assertIn(known, self.service().method_ids)

    def test_methods_of_an_instance_that_is_gone_go_and_come_back_with_it(self):
        newer = beat(service("pricing", method("discount")))
        self.keep(self.pricing, newer)
        self.lose(newer)
        self.assertEqual(self.service().method_ids.mapped("name"), ["discount"])
        self.keep(self.pricing)
        self.assertEqual(set(self.service().method_ids.mapped("name")), {"discount", "quote"})

    def test_forged_beat_leaves_no_service_without_methods(self):
        self.keep(self.pricing)
        forged = beat(service("pricing"))
        self.keep(forged)
        self.assertEqual(self.service().method_ids.mapped("name"), ["quote"])
        self.lose(forged)
        self.keep(self.pricing)
        self.assertEqual(self.service().method_ids.mapped("name"), ["quote"])

    def test_genuine_beat_restores_what_a_forged_one_says(self):
        self.keep(self.pricing)
        self.keep(beat(service("pricing", method("quote", "password", doc="Forged."))))
        self.assertEqual(self.service().method_ids.signature, "(password)")
        self.keep(self.pricing)
        self.assertEqual(self.service().method_ids.signature, "(order)")
        self.assertEqual(self.service().doc, "Prices.")

    def test_changed_signature_and_documentation_are_taken(self):
        self.keep(self.pricing)
        self.keep(beat(service("pricing", method("quote", "order", "day", doc="New."), doc="New.")))
        self.assertEqual(self.service().method_ids.signature, "(order, day)")
        self.assertEqual((self.service().doc, self.service().method_ids.doc), ("New.", "New."))

    def test_texts_that_databases_dislike(self):
        odd = "nul \0, quote ', percent %s, slash \\u0000, emoji \U0001f600"
        parameter = {"name": "a", "kind": "KEYWORD_ONLY", "default": "\0", "annotation": odd}
        told = {"name": "m", "doc": odd, "parameters": [parameter, {**parameter, "name": "b"}]}
        kept = beat(service("odd", told, doc=odd), host=odd, version=odd)
        self.keep(kept)
        self.assertEqual(self.instance(kept).host, odd.replace("\0", ""))
        self.assertEqual(len(self.service("odd").method_ids.parameters), 2)

    def test_one_beat_that_fails_takes_no_other_with_it(self):
        broken = beat(service("broken", {**method("m"), "doc": "x"}))
        broken.services[0].methods[0]["parameters"] = ["\0"]  # past what `read_beat` lets in
        with self.assertLogs(nameko_instance_beats._logger, "WARNING"):
            self.keep(broken, self.pricing)
        self.assertTrue(self.instance(self.pricing))
        self.assertFalse(self.instance(broken) or self.service("broken"))

    def test_somebody_who_invents_instances_does_not_fill_the_database(self):
        self.instances.search([]).write({"last_seen": self.clock, "state": "up"})
        self.patch(nameko_instance_beats, "MOST_INSTANCES", self.instances.search_count([]) + 2)
        with self.assertLogs(nameko_instance_beats._logger, "WARNING"):
            self.keep(*(beat(service("pricing")) for _ in range(4)))
        self.assertEqual(self.service().up_count, 2)

    def test_instances_that_are_gone_make_room_for_those_that_run(self):
        self.instances.search([]).unlink()  # of a stack that was started often
        self.keep(self.pricing)
        lost = [beat(service("pricing")) for _ in range(3)]
        self.keep(*lost)
        self.lose(self.pricing)
        self.patch(nameko_instance_beats, "MOST_INSTANCES", self.instances.search_count([]))
        new = beat(service("pricing", self.quote))
        self.keep(self.pricing, new)
        self.assertTrue(self.instance(new))
        self.assertEqual(self.instance(self.pricing).state, "up")
        self.assertEqual((self.service().up_count, self.service().gone_count), (2, 0))

    def test_instances_that_beat_make_no_room(self):
        self.keep(self.pricing)
        self.patch(nameko_instance_beats, "MOST_INSTANCES", self.instances.search_count([]))
        self.instances.search([]).last_seen = self.clock
        new = beat(service("pricing", self.quote))
        with self.assertLogs(nameko_instance_beats._logger, "WARNING"):
            self.keep(new)
        self.assertFalse(self.instance(new))
        self.assertTrue(self.instance(self.pricing))

    def test_services_that_are_gone_make_room_unless_an_action_calls_them(self):
        self.keep(self.pricing, beat(service("called", self.quote)))
        self.env["ir.actions.server"].create(
            {
                "name": "call it",
                "model_id": self.env["ir.model"]._get_id("res.partner"),
                "state": "nameko",
                "nameko_service": "called",
                "nameko_method": "quote",
                "nameko_result_kind": "nothing",
            }
        )
        self.lose()
        self.env.flush_all()
        self.env.cr.execute("UPDATE nameko_service SET create_date = create_date - interval '1 d'")
        self.env.invalidate_all()
        count = self.env["nameko.service"].search_count([])
        self.patch(nameko_service_keep, "MOST_SERVICES", count)
        self.keep(beat(service("new", self.quote)))
        self.assertTrue(self.service("new"))
        self.assertTrue(self.service("called"))
        self.assertFalse(self.service())

    def test_somebody_who_invents_methods_does_not_fill_the_database(self):
        methods = self.env["nameko.method"].with_context(active_test=False)
        count = methods.search_count([])
        self.patch(nameko_method, "MOST_METHODS", count + 3)
        self.keep(beat(service("big", *(method(f"m{number}") for number in range(9)))))
        self.assertLessEqual(methods.search_count([]), count + 3)

    def test_many_methods_are_written_at_once(self):
        methods = [method(f"m{number}", "a") for number in range(500)]
        self.keep(self.pricing)
        with self.assertQueryCount(40):
            self.keep(beat(service("pricing", *methods)))
        self.assertEqual(len(self.service().method_ids), 501)

    def test_beats_with_news_are_written_for_a_limited_time(self):
        self.patch(nameko_instance_beats, "LEARN_SECONDS", -1)
        self.keep(self.pricing)
        self.assertFalse(self.instance(self.pricing))
        self.patch(nameko_instance_beats, "LEARN_SECONDS", 3600)
        self.keep(self.pricing)
        self.assertTrue(self.instance(self.pricing))

    def test_somebody_who_invents_services_does_not_fill_the_database(self):
        services = self.env["nameko.service"].search([])
        services.filtered(lambda each: each.state not in LIVE).unlink()  # they would make room
        self.patch(nameko_service_keep, "MOST_SERVICES", len(services.exists()) + 1)
        with self.assertLogs(nameko_instance_beats._logger, "WARNING"):
            self.keep(beat(service("one"), service("two")))
        self.assertTrue(self.service("one"))
        self.assertFalse(self.service("two"))


@tagged("post_install", "-at_install")
class TestWrites(CatalogueCase):
    def test_many_new_instances_are_learned_little_by_little(self):
        beats = [beat(service("pricing", self.quote)) for _ in range(30)]
        for expected in (25, 30, 30):
            self.keep(*beats)
            self.assertEqual(self.service().up_count, expected)

    def test_beats_without_news_write_their_instances_and_nothing_else(self):
        beats = [beat(service("pricing", self.quote)) for _ in range(50)]
        self.keep(*beats)
        self.keep(*beats)
        before = {table: self.places(table) for table in ("service", "method", "instance")}
        with self.assertQueryCount(10):
            self.keep(*beats)
        self.assertEqual(self.places("service"), before["service"])
        self.assertEqual(self.places("method"), before["method"])
        self.assertFalse(self.places("instance") & before["instance"])

    def test_nothing_is_written_where_nobody_beats_and_nobody_is_missed(self):
        self.keep(self.pricing)
        before = self.places("instance")
        self.keep()
        self.assertEqual(self.places("instance"), before)

    def places(self, table):
        """Where the rows are: each write of one moves it."""
        self.env.flush_all()
        condition = {
            "service": "name = 'pricing'",
            "method": "service = 'pricing'",
            "instance": "host = 'host'",
        }[table]
        self.env.cr.execute(f"SELECT ctid FROM nameko_{table} WHERE {condition}")  # noqa: S608
        return set(self.env.cr.fetchall())


@tagged("post_install", "-at_install")
class TestStates(CatalogueCase):
    def setUp(self):
        super().setUp()
        self.manager = self.new_user("catalogue manager", MANAGER)
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
        services = [service(f"forged{number}", self.quote) for number in range(MOST_TOLD + 5)]
        self.keep(beat(*services))
        self.lose()
        self.keep(beat(service("another", self.quote)))
        self.lose()
        told = self.env["nameko.service"].search([("activity_ids", "!=", False)])
        self.assertEqual(len(told), MOST_TOLD)
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
