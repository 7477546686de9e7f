"""Dead letters: who may see them, those that services keep, and those of jobs."""

import datetime
import os
import uuid

from kombu import Connection

from odoo.addons.nameko_connector.broker.amqp.errors import RemoteError
from odoo.addons.nameko_connector.broker.amqp.request import Request
from odoo.addons.nameko_connector.broker.jobs.consumer import dead_queue, reply_queue
from odoo.addons.nameko_connector.broker.jobs.dead_letter import OF_SERVICE
from odoo.addons.nameko_connector.testing import answered_calls
from odoo.addons.nameko_connector.tests.common import MANAGER
from odoo.exceptions import AccessError
from odoo.tests import tagged

from .job_case import JobCase

ADMINISTRATOR = "base.group_system"
KEPT = {"id": "7", "subject": "Your order", "error": "given up after 4 tries"}
GONE = RemoteError("no such mail", error={"exc_type": "UnknownDeadLetter", "value": "no such mail"})


class LetterCase(JobCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.administrator = cls.new_user("letter_administrator", MANAGER, ADMINISTRATOR)

    def setUp(self):
        super().setUp()
        self.service = f"letters-{uuid.uuid4().hex}"
        self.letters = self.env["nameko.dead.letter"].with_user(self.administrator)

    def look(self):
        action = self.letters.action_look(self.service)
        letters = self.letters.with_context(**action["context"])
        found = letters.web_search_read(action["domain"], {"name": {}})
        return self.letters.browse([each["id"] for each in found["records"]])

    def text_of(self, action):
        return action["params"]["message"]


@tagged("post_install", "-at_install")
class TestRights(LetterCase):
    def test_only_managers_who_are_administrators_see_them(self):
        for number, group in enumerate((MANAGER, ADMINISTRATOR)):
            letters = self.letters.with_user(self.new_user(f"letter_user_{number}", group))
            for method in (letters.action_look, letters.action_drop, letters.action_send_again):
                with self.subTest(group=group, method=method.__name__):
                    self.assertRaises(AccessError, method)
        self.assertFalse(self.look())

    def test_a_look_changes_only_the_own_list(self):
        values = {"name": "x", "service": self.service, "key": "x"}
        mine = self.letters.sudo().create(values).sudo(False)
        other = self.new_user("letter_other", MANAGER, ADMINISTRATOR)
        others = self.letters.with_user(other).sudo().create(values)
        self.assertNotIn(others.id, self.letters.search([]).ids)
        self.look()
        self.assertFalse(mine.exists())
        self.assertTrue(others.exists())
        self.assertIn("0 dropped.", self.text_of(mine.action_drop()))
        self.assertIn("still there", self.text_of(mine.action_drop()))


@tagged("post_install", "-at_install")
class TestKeptByServices(LetterCase):
    """A service that keeps dead letters of its own, as `mail` does."""

    def setUp(self):
        super().setUp()
        service = self.env["nameko.service"].create({"name": self.service})
        for name in ("dead_letters", "retry_dead", "drop_dead"):
            self.env["nameko.method"].create(
                {"service": service.name, "service_id": service.id, "name": name}
            )
        self.env["nameko.instance"].create(
            {"uuid": self.service, "host": "x", "state": "up", "service_ids": service.ids}
        )

    def answers(self, letters, **methods):
        answers = {"dead_letters": letters, **methods}
        return answered_calls({f"{self.service}.{name}": each for name, each in answers.items()})

    def test_they_are_shown_sent_again_and_dropped(self):
        for method, button in (("retry_dead", "action_send_again"), ("drop_dead", "action_drop")):
            with self.answers([KEPT], **{method: None}) as calls:
                letter = self.look()
                self.assertEqual(letter.name, "subject: Your order")
                self.assertEqual(letter.reason, "given up after 4 tries")
                done = getattr(letter, button)()
            self.assertEqual(calls[-1], Request(self.service, method, ("7",), {}))
            self.assertEqual(done["params"]["type"], "success")
            self.assertFalse(letter.exists())

    def test_a_letter_stays_the_same_record(self):
        """Another page may show it."""
        with self.answers([KEPT]):
            first = self.look()
        with self.answers([{**KEPT, "id": "8"}, KEPT]):
            second = self.look()
        self.assertEqual(len(second), 2)
        self.assertLess(first, second)

    def test_from_its_form_it_leads_to_the_list(self):
        with self.answers([KEPT], drop_dead=None):
            letter = self.look().with_context(nameko_from_form=True)
            following = letter.action_drop()["params"]["next"]
        self.assertEqual((following["res_model"], following["target"]), (letter._name, "main"))

    def test_what_fails_stays_with_its_reason(self):
        with self.answers([KEPT], retry_dead=GONE):
            letter = self.look()
            done = letter.action_send_again()
        self.assertIn("0 sent again.", self.text_of(done))
        self.assertIn("no such mail", self.text_of(done))
        self.assertTrue(letter.exists())

    def test_a_service_that_does_not_tell_hides_no_others(self):
        with answered_calls({}):
            letter = self.look()
        self.assertEqual((letter.kind, letter.service), ("kept", self.service))
        self.assertTrue(letter.reason)
        self.assertIn("0 dropped.", self.text_of(letter.action_drop()))

    def test_odd_answers(self):
        date = {"id": "1", "error": "x", "on": datetime.date(2026, 11, 30)}
        deep = [{"id": [1], "error": "\0" * 20_000}]
        for odd in (None, "text", 7, {}, [None, "x", {}], deep, [date]):
            with self.subTest(odd=str(odd)[:40]), self.answers(odd):
                self.assertTrue(all(len(each.reason or "") <= 10_000 for each in self.look()))


@tagged("post_install", "-at_install")
class TestOfJobs(LetterCase):
    """The request of a job, which its service has given up."""

    def setUp(self):
        super().setUp()
        self.queue = OF_SERVICE + self.service
        self.connection = Connection(
            os.environ["AMQP_URI"], transport_options={"confirm_publish": True}
        )
        self.addCleanup(self.connection.close)
        self.channel = self.connection.default_channel
        computation = self.env["nameko.compute"].create({"value": 1, "other": 2})
        self.job = self.env["nameko.rpc"].delay(self.service, "method", record=computation)
        self.declare(self.queue)
        self.publish(self.queue, {"args": [1, 2], "kwargs": {}})

    def declare(self, queue):
        self.channel.queue_declare(queue, durable=True, auto_delete=False)
        self.addCleanup(self.channel.queue_delete, queue)

    def publish(self, queue, body):
        self.connection.Producer().publish(
            body,
            routing_key=queue,
            serializer="json",
            correlation_id=f"{self.job.uuid}:1",
        )

    def waiting(self, queue=None):
        return self.channel.queue_declare(queue or self.queue, passive=True).message_count

    def test_to_send_it_again_is_to_retry_the_job(self):
        self.job._set_cancelled("for the test")
        letter = self.look()
        self.assertEqual(letter.job_id, self.job)
        self.assertEqual(self.text_of(letter.action_send_again()), "1 sent again.")
        self.assertEqual(self.job.state, "pending")
        self.assertEqual(self.waiting(), 0)

    def test_a_job_that_has_not_failed_is_not_sent_twice(self):
        letter = self.look()
        self.assertIn("1 skipped: their job cannot be", self.text_of(letter.action_send_again()))
        self.assertEqual(self.waiting(), 1)
        self.assertEqual(self.text_of(letter.action_drop()), "1 dropped.")
        self.assertEqual(self.waiting(), 0)

    def test_an_answer_goes_to_the_relay_again(self):
        """Its job is not retried."""
        identity = uuid.uuid4().hex
        for queue in (dead_queue(identity), reply_queue(identity)):
            self.declare(queue)
        self.publish(dead_queue(identity), {"result": 7, "error": None})
        self.job._set_cancelled("for the test")
        with self.letters._opened() as opened:
            found = opened.look([dead_queue(identity)]).letters
        letter = self.letters.sudo().create(self.letters._with_jobs(found)).sudo(False)
        self.assertEqual(letter.job_id, self.job)
        self.assertEqual(self.text_of(letter.action_send_again()), "1 sent again.")
        self.assertEqual(self.waiting(reply_queue(identity)), 1)
        self.assertEqual(self.waiting(dead_queue(identity)), 0)
        self.assertEqual(self.job.state, "cancelled")
