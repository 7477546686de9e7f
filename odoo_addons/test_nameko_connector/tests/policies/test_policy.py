"""Policies: what they may say, what new jobs get from them, and what waiting jobs say."""

from datetime import timedelta

from psycopg2 import IntegrityError

from odoo import fields
from odoo.addons.nameko_connector.job_store.claiming import policies, starts
from odoo.exceptions import ValidationError
from odoo.tests import tagged
from odoo.tools import mute_logger

from ..jobs.job_case import JobCase

DEFAULTS = {"timeout": 60, "max_attempts": 7, "retry_delays": "1, 2.5", "has_priority": True}


class PolicyCase(JobCase):
    def setUp(self):
        super().setUp()
        self.policies = self.env["nameko.policy"].with_user(self.manager)
        self.patch(type(self.env["nameko.job"]), "_relay_runs", lambda _: True)

    def policy(self, **values):
        return self.policies.create({"service": "pricing", **values})


@tagged("post_install", "-at_install")
class TestPolicy(PolicyCase):
    def test_service_or_method_has_one(self):
        self.policy()
        self.policy(method="quote")
        for method in (False, "quote"):
            with mute_logger("odoo.sql_db"), self.assertRaises(IntegrityError):
                self.policy(method=method)

    def test_is_named_after_them(self):
        self.assertEqual(self.policy().display_name, "pricing")
        self.assertEqual(self.policy(method="quote").display_name, "pricing.quote")

    def test_names_are_those_of_jobs(self):
        policy = self.policy(service=" pricing ", method=" ")
        self.assertEqual((policy.service, policy.method), ("pricing", False))

    def test_refuses_what_makes_no_sense(self):
        yesterday = fields.Datetime.now() - timedelta(days=1)
        for values in (
            {"most_at_once": -1},
            {"rate": -1},
            {"most_at_once": 2**31},
            {"timeout": -1},
            {"max_attempts": -1},
            {"retry_delays": "soon"},
            {"service": "a.b*"},
            {"method": "quo.te"},
            {"is_paused": True, "paused_until": yesterday},
        ):
            with self.subTest(values=values), self.assertRaises(ValidationError):
                self.policy(**values)

    def test_end_of_a_pause_clears_reason_and_time(self):
        policy = self.policy(
            is_paused=True,
            pause_reason="Maintenance",
            paused_until=fields.Datetime.now() + timedelta(days=1),
        )
        policy.is_paused = False
        self.assertFalse(policy.pause_reason)
        self.assertFalse(policy.paused_until)

    def test_relay_ends_a_pause(self):
        later = fields.Datetime.now() + timedelta(days=1)
        policy, other = (
            self.policy(is_paused=True, paused_until=later, method=name) for name in ("a", "b")
        )
        self.env.flush_all()
        self.env.cr.execute(
            "UPDATE nameko_policy SET paused_until = now() AT TIME ZONE 'UTC' WHERE id = %s",
            [policy.id],
        )
        self.assertIn(policy.id, policies.end_pauses(self.env.cr))
        self.env.invalidate_all()
        self.assertFalse(policy.is_paused)
        self.assertTrue(other.is_paused)


@tagged("post_install", "-at_install")
class TestDefaults(PolicyCase):
    def values(self, job):
        return (job.timeout, job.max_attempts, job.retry_delays, job.priority)

    def test_new_jobs_get_them(self):
        before = self.values(self.job())
        policy = self.policy(priority=3, **DEFAULTS)
        self.assertEqual(self.values(self.job()), (60, 7, "1,2.5", 3))
        policy.write({"timeout": 0, "max_attempts": 0, "retry_delays": "", "has_priority": False})
        self.assertEqual(self.values(self.job()), before)

    def test_method_comes_before_service_and_the_job_before_both(self):
        self.policy(priority=3, **DEFAULTS)
        self.policy(method="quote", timeout=5)
        self.assertEqual(self.values(self.job()), (5, 7, "1,2.5", 3))
        given = {"timeout": 9, "max_attempts": 2, "retry_delays": [4], "priority": 0}
        self.assertEqual(self.values(self.job(**given)), (9, 2, "4", 0))

    def test_others_do_not_get_them(self):
        before = self.values(self.job())
        self.policy(service="elsewhere", **DEFAULTS)
        self.policy(method="count", **DEFAULTS)
        self.assertEqual(self.values(self.job()), before)

    def test_new_jobs_cost_no_query_for_them(self):
        self.policy(**DEFAULTS)
        self.env["nameko.policy"]._defaults("pricing", "quote")
        with self.assertQueryCount(0):
            self.env["nameko.policy"]._defaults("pricing", "quote")

    def test_deleted_policy_gives_none(self):
        before = self.values(self.job())
        self.policy(**DEFAULTS).unlink()
        self.assertEqual(self.values(self.job()), before)


@tagged("post_install", "-at_install")
class TestWhyJobsWait(PolicyCase):
    def reason(self, job):
        self.env.invalidate_all()
        return job.reason

    def test_pause(self):
        job = self.job()
        policy = self.policy(is_paused=True)
        self.assertEqual(self.reason(job), "Paused.")
        policy.pause_reason = "Maintenance"
        self.assertEqual(self.reason(job), "Paused: Maintenance")
        policy.paused_until = fields.Datetime.now().replace(year=2100)
        self.assertRegex(self.reason(job), r"^Paused: Maintenance \(until .*2100.*\)$")
        policy.pause_reason = False
        self.assertRegex(self.reason(job), r"^Paused until .*2100.*\.$")
        policy.is_paused = False
        self.assertEqual(self.reason(job), "Waits for its turn.")

    def test_end_today_is_shown_as_a_time(self):
        now = fields.Datetime.now().replace(hour=9, minute=30, second=0, microsecond=0)
        self.patch(type(self.policies), "_clock", lambda _: now)
        self.policy(is_paused=True, pause_reason="x", paused_until=now + timedelta(minutes=72))
        job = self.job().with_context(tz="UTC")
        self.assertRegex(self.reason(job), r"^Paused: x \(until 10:42.*\)$")

    def test_pause_that_is_over_is_none(self):
        until = fields.Datetime.now() + timedelta(days=1)
        self.policy(is_paused=True, paused_until=until)
        self.patch(type(self.policies), "_clock", lambda _: until)
        self.assertEqual(self.reason(self.job()), "Waits for its turn.")

    def test_pause_of_a_method_is_of_its_jobs_alone(self):
        self.policy(method="quote", is_paused=True)
        other = self.rpc.delay("pricing", "count")
        self.assertEqual(self.reason(self.job()), "Paused.")
        self.assertEqual(self.reason(other), "Waits for its turn.")

    def test_limit_at_a_time(self):
        policy = self.policy(most_at_once=2)
        job = self.job()
        self.sent(self.job())
        self.assertEqual(self.reason(job), "Waits for its turn.")
        self.sent(self.job())
        self.assertEqual(self.reason(job), "Limit of 2 at a time.")
        policy.most_at_once = 3
        self.assertEqual(self.reason(job), "Waits for its turn.")

    def test_rate(self):
        policy = self.policy(rate=3)
        job, started = self.job(), self.job()
        self.env.flush_all()
        notes = starts.note(self.env.cr, {policy.id: started.ids})
        starts.settle(self.env.cr, {notes[policy.id]: 3})
        for unit, text in (("second", "a second"), ("minute", "a minute"), ("hour", "an hour")):
            policy.rate_unit = unit
            self.env.flush_all()
            self.env.cr.execute("UPDATE nameko_policy_start SET moment = now() + interval '1 day'")
            self.assertEqual(self.reason(job), f"Limit of 3 {text}.")
        policy.rate = 4
        self.assertEqual(self.reason(job), "Waits for its turn.")

    def test_owner_reads_it_too(self):
        self.policy(is_paused=True, pause_reason="Maintenance")
        job = self.job().with_user(self.user)
        self.assertEqual(self.reason(job), "Paused: Maintenance")

    def test_jobs_that_wait_for_something_else_say_that(self):
        self.policy(is_paused=True)
        later = self.job(eta=fields.Datetime.now() + timedelta(days=1))
        self.assertIn("Not before", self.reason(later))


@tagged("post_install", "-at_install")
class TestPauseOfAService(PolicyCase):
    def setUp(self):
        super().setUp()
        self.service = self.env["nameko.service"].create({"name": "pricing"})
        self.service = self.service.with_user(self.manager)

    def pause(self, **values):
        action = self.service.action_pause()
        wizard = self.env[action["res_model"]].with_user(self.manager).browse(action["res_id"])
        wizard.write(values)
        wizard.action_pause()
        self.env.invalidate_all()

    def test_buttons(self):
        until = fields.Datetime.now() + timedelta(days=1)
        self.pause(reason="Maintenance", until=until)
        self.assertTrue(self.service.is_paused)
        self.assertIn("Maintenance", self.service.pause_text)
        policy = self.policies.search([("service", "=", "pricing")])
        self.assertEqual((policy.method, policy.paused_until), (False, until))
        self.service.action_resume()
        self.env.invalidate_all()
        self.assertFalse(self.service.is_paused)

    def test_pause_keeps_the_rest_of_the_policy(self):
        policy = self.policy(most_at_once=5)
        self.pause()
        self.assertEqual((policy.is_paused, policy.most_at_once), (True, 5))

    def test_pause_of_a_method_is_not_one_of_the_service(self):
        self.policy(method="quote", is_paused=True)
        self.assertFalse(self.service.is_paused)

    def test_end_in_the_past_is_refused(self):
        with self.assertRaises(ValidationError):
            self.pause(until=fields.Datetime.now() - timedelta(days=1))

    def test_relays_are_woken(self):
        """By what also wakes them for a new job."""
        woken = []
        self.patch(type(self.env["nameko.job"]), "_wake", lambda _: woken.append(1))
        policy = self.policy(is_paused=True)
        policy.is_paused = False
        policy.unlink()
        self.assertEqual(len(woken), 3)

    def test_open_views_of_the_jobs_reload(self):
        noted = []
        self.patch(type(self.env["nameko.live"]), "_note", lambda _, some: noted.extend(some))
        job = self.job()
        policy = self.policy(is_paused=True)
        self.assertLessEqual({("nameko.policy", policy.id), ("nameko.job", job.id)}, {*noted})


@tagged("post_install", "-at_install")
class TestLockedJobs(PolicyCase):
    def test_places_are_kept_without_an_attempt(self):
        job = self.sent(self.job())
        self.assertEqual(starts.still_sent(self.env.cr, job.ids), job.ids)
        starts.keep_places(self.env.cr, job.ids)
        job.invalidate_recordset()
        self.assertEqual((job.state, job.attempts, job.sendings), ("sent", 0, 1))
