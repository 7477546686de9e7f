"""What beats make of the catalogue."""

from dataclasses import replace
from datetime import datetime

from odoo.tests import tagged

from ...models.catalogue import nameko_instance_beats, nameko_method, nameko_service_keep
from ...models.catalogue.nameko_service import LIVE
from .catalogue_case import CatalogueCase, beat, method, service


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
