"""Live views: who gets which tokens, and when something is sent."""

import json
from types import SimpleNamespace
from unittest.mock import patch

from odoo.addons.bus.models.ir_websocket import IrWebsocket
from odoo.addons.nameko_compute.tests.common import ComputationCase
from odoo.addons.nameko_connector.models import ir_websocket
from odoo.addons.nameko_connector.models.nameko_live import (
    ANY,
    CHANNELS,
    KIND,
    MOST_TOKENS,
    channel_of,
)
from odoo.addons.nameko_connector.tests.common import MANAGER, USER
from odoo.exceptions import AccessError
from odoo.tests import tagged

SESSION = "somebody's session"
CHANNEL = channel_of(SESSION)


@tagged("post_install", "-at_install")
class TestLive(ComputationCase):
    def setUp(self):
        super().setUp()
        self.live = self.env["nameko.live"]
        self.owner, self.other = self.new_user("owner", USER), self.new_user("other", USER)
        rpc = self.env(user=self.owner)["nameko.rpc"]
        self.jobs = rpc.delay("compute", "method", 1, 2) + rpc.delay("compute", "method", 3, 4)
        self.env["bus.bus"].search([]).unlink()
        self.viewers = self.env["nameko.live.viewer"]
        self.viewers.search([]).unlink()
        self.viewers._note(SESSION, [CHANNEL])

    def watch(self, user, ids=None, model="nameko.job"):
        return self.live.with_user(user).watch(model, self.jobs.ids if ids is None else ids)

    def sent(self):
        """Commit, as far as a test does; return what the bus sends to live views."""
        self.env.cr.precommit.run()
        messages = self.env["bus.bus"].search([("channel", "like", KIND)])
        return [json.loads(message)["payload"] for message in messages.mapped("message")]

    def test_tokens_are_of_records_that_the_user_may_read(self):
        tokens = self.watch(self.owner)
        self.assertEqual(len(set(tokens)), 2)
        self.assertEqual(self.watch(self.other), [])
        self.assertEqual(self.watch(self.new_user("manager", MANAGER)), tokens)

    def test_who_may_not_read_the_model_is_refused(self):
        with self.assertRaises(AccessError):
            self.watch(self.new_user("internal", "base.group_user"))

    def test_models_that_no_job_changes_are_refused(self):
        for model in ("res.users", "ir.config_parameter", "no.such.model"):
            with self.assertRaises(AccessError):
                self.watch(self.env.user, model=model)

    def test_records_that_do_not_exist_have_no_token(self):
        self.assertEqual(len(self.watch(self.owner, [*self.jobs.ids, 2**31 - 1])), 2)

    def test_a_transaction_sends_one_message(self):
        tokens = self.watch(self.owner) + self.watch(self.owner, [])
        for job in self.jobs:
            job.with_user(self.owner).action_cancel()
        (message,) = self.sent()
        for token in tokens:
            self.assertIn(token, message["tokens"])

    def test_the_record_of_a_job_is_named_too(self):
        record = self.computation(value=1, other=2)
        record.action_compute_later()
        record.job_id.action_cancel()
        (token,) = self.watch(self.env.user, record.ids, "nameko.compute")
        self.assertIn(token, self.sent()[0]["tokens"])

    def test_each_group_of_browsers_that_is_there_gets_it(self):
        (other,) = [each for each in CHANNELS if each != CHANNEL][:1]
        self.viewers._note("another session", [other])
        self.jobs[0].with_user(self.owner).action_cancel()
        self.assertEqual(self.env["bus.bus"].search_count([("channel", "like", KIND)]), 0)
        self.assertEqual(len(self.sent()), 2)

    def test_a_browser_that_listens_to_more_begins_to(self):
        (other,) = [each for each in CHANNELS if each != CHANNEL][:1]
        self.assertFalse(self.viewers._note(SESSION, [CHANNEL]))
        self.assertTrue(self.viewers._note(SESSION, [CHANNEL, other]))
        self.assertFalse(self.viewers._note(SESSION, [other]))
        self.assertEqual(self.viewers._channels(), {other})

    def test_nothing_is_sent_where_nobody_looks(self):
        self.viewers._note(SESSION, [])
        self.jobs.with_user(self.owner).action_cancel()
        self.assertEqual(self.sent(), [])

    def test_a_browser_of_yesterday_does_not_count(self):
        self.env.cr.execute("UPDATE nameko_live_viewer SET since = since - interval '25 hours'")
        self.assertFalse(self.viewers._channels())
        self.viewers._gc_old()
        self.assertFalse(self.viewers.search([]))

    def test_where_very_much_has_changed_everybody_reloads(self):
        self.live._send([("nameko.job", number) for number in range(MOST_TOKENS + 1)], [CHANNEL])
        self.assertEqual(self.sent(), [{"all": True}])

    def test_old_messages_are_deleted(self):
        for age in ("6 minutes", "4 minutes"):
            self.live._send([("nameko.job", ANY)], [CHANNEL])
            self.env.cr.precommit.run()
            self.env.cr.execute(
                "UPDATE bus_bus SET create_date = now() AT TIME ZONE 'UTC' - %s::interval"
                " WHERE id = (SELECT max(id) FROM bus_bus)",
                [age],
            )
        self.env["bus.bus"]._sendone("another channel", "x", {})
        self.live._forget_old()
        self.env["bus.bus"].invalidate_model()
        self.assertEqual(len(self.sent()), 1)

    def test_lists_have_one_token_each_model(self):
        (of_jobs,) = self.watch(self.owner, [])
        (of_computations,) = self.watch(self.owner, [], "nameko.compute")
        self.assertNotEqual(of_jobs, of_computations)
        self.live._send([("nameko.job", ANY)], [CHANNEL])
        self.assertEqual(self.sent(), [{"tokens": of_jobs}])

    def test_who_begins_to_listen_reads_once_more(self):
        """What has changed before that was sent to nobody."""
        browser = SimpleNamespace(session=SimpleNamespace(sid="another session"))
        data = {"channels": {CHANNEL}, "missed_presences": self.env["mail.presence"]}
        with patch.object(ir_websocket, "request", browser):
            for _ in range(2):
                self.env["ir.websocket"]._after_subscribe_data(data)
        self.env.cr.precommit.run()
        messages = self.env["bus.bus"].search([("message", "like", KIND)]).mapped("message")
        self.assertEqual([json.loads(message)["payload"] for message in messages], [{"all": True}])

    def test_portal_users_hear_nothing(self):
        portal = self.new_user("portal", "base.group_portal")
        unchanged = lambda _self, channels: channels  # noqa: E731
        for user, heard in ((portal, []), (self.owner, [CHANNEL])):
            with patch.object(IrWebsocket, "_build_bus_channel_list", unchanged):
                channels = (
                    self.env["ir.websocket"].with_user(user)._build_bus_channel_list([CHANNEL])
                )
            self.assertEqual([each for each in channels if isinstance(each, str)], heard)
