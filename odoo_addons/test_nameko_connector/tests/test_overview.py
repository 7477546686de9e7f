"""The overview: small rows of numbers, and what it reads of them."""

from datetime import timedelta
from types import SimpleNamespace

from odoo import fields
from odoo.addons.nameko_connector.broker.jobs.reply import Reply
from odoo.addons.nameko_connector.job_store.monitoring import statistics
from odoo.exceptions import AccessError
from odoo.tests import tagged

from .jobs.test_job_attempts import STOCK
from .test_failures import CountsCase


@tagged("post_install", "-at_install")
class TestOverview(CountsCase):
    def setUp(self):
        super().setUp()
        self.env.cr.execute("DELETE FROM nameko_job_minute")

    def finished(self, *, waited, ran, count=1, failed=False):
        """Have jobs end that waited and ran for so many seconds."""
        jobs = self.env["nameko.job"].union(*(self.job(max_attempts=1) for _ in range(count)))
        self.sent(jobs)
        self.env.cr.execute(
            "UPDATE nameko_job SET sent_at = now() AT TIME ZONE 'UTC' - make_interval(secs => %s),"
            " waited = %s WHERE id = ANY(%s)",
            [ran, waited, jobs.ids],
        )
        answer = {"error": STOCK} if failed else {"text": "3", "result": 3}
        self.answer(*[Reply(job.uuid, **answer) for job in jobs])
        return jobs

    def overview(self):
        statistics.count_live(self.env.cr)
        return self.env["nameko.overview"].with_user(self.manager).read_overview()

    def of_service(self, data):
        (row,) = [row for row in data["services"] if row["name"] == "pricing"]
        return row

    def test_what_ended_by_service(self):
        self.finished(waited=1, ran=0.04, count=18)
        self.finished(waited=100, ran=20, count=2)
        self.finished(waited=1, ran=0.04, failed=True)
        row = self.of_service(self.overview())
        self.assertEqual((row["done"], row["failed"]), (20, 1))
        for (half, most), expected in ((row["waited"], (1, 100)), (row["ran"], (0.04, 20))):
            self.assertAlmostEqual(half, expected[0], delta=0.2 * expected[0])
            self.assertAlmostEqual(most, expected[1], delta=0.2 * expected[1])

    def test_jobs_that_were_not_sent_have_no_times(self):
        jobs = self.job() + self.job() + self.job()
        jobs.action_cancel()
        self.finished(waited=100, ran=20)
        data = self.overview()
        row = self.of_service(data)
        for waited in row["waited"]:
            self.assertAlmostEqual(waited, 100, delta=20)
        self.assertLess(data["total"]["rate"], 4 * 60 / 10)

    def test_the_oldest_is_not_the_first(self):
        again, waits = self.job(), self.job()
        self.env.cr.execute(
            "UPDATE nameko_job SET create_date = create_date - interval '1 hour'"
            " WHERE id = ANY(%s)",
            [(again + waits).ids],
        )
        self.env.cr.execute(
            "UPDATE nameko_job SET eta = now() AT TIME ZONE 'UTC' WHERE id = %s", [again.id]
        )
        row = self.of_service(self.overview())
        self.assertGreater(row["oldest"], 3500)

    def test_what_has_not_ended(self):
        jobs = (
            self.job()
            + self.job()
            + self.job()
            + self.job(eta=fields.Datetime.now() + timedelta(days=1))
        )
        self.sent(jobs[0])
        data = self.overview()
        row = self.of_service(data)
        self.assertEqual((row["running"], row["waiting"], row["later"]), (1, 3, 1))
        self.assertGreaterEqual(data["total"]["waiting"], 3)
        self.assertIsNot(row["oldest"], False)

    def test_it_is_counted_anew_only_where_nobody_counts(self):
        self.overview()
        self.job()
        read = self.env["nameko.overview"].with_user(self.manager).read_overview
        before = read()["total"]["waiting"]
        self.env.cr.execute(
            "UPDATE nameko_job_count SET counted_at = counted_at - interval '5 minutes'"
        )
        self.assertEqual(read()["total"]["waiting"], before + 1)

    def test_changes_are_noticed(self):
        statistics.count_live(self.env.cr)
        self.assertFalse(statistics.count_live(self.env.cr))
        self.job()
        self.assertTrue(statistics.count_live(self.env.cr))
        self.finished(waited=1, ran=1)
        self.assertTrue(statistics.count_live(self.env.cr))
        self.assertFalse(statistics.count_live(self.env.cr))

    def test_services_without_jobs_are_counted_no_more(self):
        self.job()
        statistics.count_live(self.env.cr)
        self.env["nameko.job"].search([("service", "=", "pricing")]).unlink()
        statistics.count_live(self.env.cr)
        counts = self.env["nameko.job.count"]
        counts.invalidate_model()
        self.assertFalse(counts.search([("service", "=", "pricing")]))
        self.assertTrue(counts.search([("service", "=", "")]))

    def test_minutes_are_merged_and_forgotten(self):
        for _ in range(3):
            self.finished(waited=1, ran=0.04)
        before = self.of_service(self.overview())
        rows = "SELECT count(*), sum(jobs) FROM nameko_job_minute"
        for minutes, expected in ((2, (1, 3)), (60, (0, None))):
            self.env.cr.execute(
                "UPDATE nameko_job_minute SET minute = minute - make_interval(mins => %s)",
                [minutes],
            )
            statistics.merge_minutes(self.env.cr)
            self.env.cr.execute(rows)
            self.assertEqual(self.env.cr.fetchone(), expected)
            if expected[0]:
                after = self.of_service(self.overview())
                self.assertEqual((after["done"], after["ran"]), (before["done"], before["ran"]))

    def test_rate_and_time_left(self):
        self.finished(waited=0, ran=0, count=30)
        self.job()
        total = self.overview()["total"]
        self.assertGreaterEqual(total["rate"], 30 / 5)
        ready = total["waiting"] - total["later"]
        self.assertAlmostEqual(
            total["left"], max(1, 60 * (ready + total["running"]) / total["rate"])
        )

    def test_the_last_hour_by_minute(self):
        self.finished(waited=0, ran=0)
        minutes = self.overview()["minutes"]
        self.assertEqual(len(minutes), statistics.MINUTES)
        self.assertEqual(sum(each["done"] for each in minutes[-2:]), 1)
        self.assertLess(minutes[0]["minute"], minutes[-1]["minute"])

    def test_times_that_a_clock_has_mistaken(self):
        for waited, ran in ((-1e6, -1e6), (1e9, 1e9)):
            self.finished(waited=waited, ran=ran)
        self.assertEqual(self.of_service(self.overview())["done"], 2)

    def test_failures(self):
        self.finished(waited=0, ran=0, failed=True)
        self.env["nameko.failure"]._group_new()
        self.env["nameko.failure"]._count()
        (failure,) = [
            each
            for each in self.overview()["failures"]
            if each["display_name"] == "pricing.quote" and "no stock" in each["shape"]
        ]
        self.assertEqual(failure["failed_count"], 1)
        self.env["nameko.failure"].browse(failure["id"]).action_ignore()
        shown = [each["id"] for each in self.overview()["failures"]]
        self.assertNotIn(failure["id"], shown)

    def light(self, key):
        (light,) = [each for each in self.overview()["lights"] if each["key"] == key]
        return light["level"], f"{light['title']} {light['text']}"

    def archive_the_scheduled_action(self):
        """As it were: Odoo itself writes that row at any moment."""
        cron = SimpleNamespace(active=False, name="Send jobs")
        self.patch(self.env.registry["nameko.job"], "_cron", lambda _self: cron)

    def test_without_a_relay(self):
        self.patch(self.env.registry["nameko.overview"], "_running_relays", lambda _self: 0)
        level, text = self.light("relay")
        self.assertEqual(level, "bad")
        self.assertIn("odoo nameko_relay", text)
        self.assertEqual(self.light("fallback")[0], "warning")
        self.archive_the_scheduled_action()
        self.assertEqual(self.light("fallback")[0], "bad")

    def test_with_a_relay(self):
        self.patch(self.env.registry["nameko.overview"], "_running_relays", lambda _self: 2)
        self.assertEqual(self.light("relay")[0], "good")
        self.assertEqual(self.light("broker")[0], "good")
        self.archive_the_scheduled_action()
        self.assertEqual(self.light("fallback")[0], "off")

    def test_services_that_are_missed(self):
        services = self.env["nameko.service"]
        services.search([]).method_ids.unlink()
        for name, state in (("here", "up"), ("there", "gone")):
            service = services.create({"name": name})
            self.env["nameko.method"].create(
                {"service": name, "service_id": service.id, "name": "quote"}
            )
            self.env["nameko.instance"].create(
                {"uuid": name, "host": name, "state": state, "last_seen": fields.Datetime.now(),
                 "service_ids": [(6, 0, service.ids)]}
            )  # fmt: skip
        level, text = self.light("services")
        self.assertEqual(level, "bad")
        self.assertIn("Services: 1 up, 1 gone No heartbeat from: there.", text)

    def test_managers_alone_see_it(self):
        with self.assertRaises(AccessError):
            self.env["nameko.overview"].with_user(self.user).read_overview()
