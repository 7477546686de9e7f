"""Live views: who gets which tokens, and when something is sent."""

import json
from types import SimpleNamespace
from unittest.mock import patch

from odoo.addons.bus.models.ir_websocket import IrWebsocket
from odoo.addons.nameko_compute.tests.common import ComputationCase
from odoo.addons.nameko_connector.models.monitoring import ir_websocket, nameko_live
from odoo.addons.nameko_connector.models.monitoring.nameko_live import GROUPS, MOST_CHANGED, PREFIX
from odoo.addons.nameko_connector.tests.common import MANAGER, USER
from odoo.exceptions import AccessError
from odoo.tests import tagged

BROWSER = "somebody's websocket"


class Connection:
    """A websocket, as far as `ir.websocket` knows it."""


@tagged("post_install", "-at_install")
class TestLive(ComputationCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.owner, cls.other = cls.new_user("owner", USER), cls.new_user("other", USER)

    def setUp(self):
        super().setUp()
        self.live = self.env["nameko.live"]
        rpc = self.env(user=self.owner)["nameko.rpc"]
        self.jobs = rpc.delay("compute", "method", 1, 2) + rpc.delay("compute", "method", 3, 4)
        self.env["bus.bus"].search([]).unlink()
        self.viewers = self.env["nameko.live.viewer"]
        self.viewers.search([]).unlink()

    def watch(self, user, ids=None, model="nameko.job"):
        return self.live.with_user(user).watch(model, self.jobs.ids if ids is None else ids)

    def listen(self, channels, browser=BROWSER):
        return self.viewers._note(browser, channels)

    def sent(self):
        """Commit, as far as a test does; return the channels that have had a message."""
        self.env.cr.precommit.run()
        messages = self.env["bus.bus"].search([("channel", "like", PREFIX)])
        return sorted(json.loads(channel)[1] for channel in messages.mapped("channel"))

    def test_channels_are_of_records_that_the_user_may_read(self):
        channels = self.watch(self.owner)
        self.assertEqual(len(set(channels)), 2)
        self.assertEqual(self.watch(self.other), [])
        self.assertEqual(self.watch(self.new_user("manager", MANAGER)), channels)

    def test_who_may_not_read_the_model_is_refused(self):
        with self.assertRaises(AccessError):
            self.watch(self.new_user("internal", "base.group_user"))

    def test_models_that_no_job_changes_are_refused(self):
        for model in ("res.users", "ir.config_parameter", "no.such.model"):
            with self.assertRaises(AccessError):
                self.watch(self.env.user, model=model)

    def test_records_that_do_not_exist_have_no_channel(self):
        self.assertEqual(len(self.watch(self.owner, [*self.jobs.ids, 2**31 - 1])), 2)

    def test_only_who_sees_the_record_gets_a_message(self):
        of_first, of_second = self.watch(self.owner)
        (of_list,) = self.watch(self.owner, [])
        self.listen([of_first, of_second, of_list])
        self.jobs[0].with_user(self.owner).action_cancel()
        self.assertEqual(self.env["bus.bus"].search_count([("channel", "like", PREFIX)]), 0)
        self.assertEqual(self.sent(), sorted([of_first, of_list]))

    def test_a_transaction_sends_one_message_to_a_view(self):
        (of_list,) = self.watch(self.owner, [])
        self.listen([of_list])
        for job in self.jobs:
            job.with_user(self.owner).action_cancel()
        self.assertEqual(self.sent(), [of_list])

    def test_the_record_of_a_job_is_named_too(self):
        record = self.computation(value=1, other=2)
        record.action_compute_later()
        channels = self.watch(self.env.user, record.ids, "nameko.compute")
        self.listen(channels)
        record.job_id.action_cancel()
        self.assertEqual(self.sent(), channels)

    def test_lists_of_all_groups_get_one(self):
        groups = []
        for group in range(GROUPS):
            with patch.object(nameko_live, "_group", lambda group=group: group):
                groups += self.watch(self.owner, [])
        self.assertEqual(len(set(groups)), GROUPS)
        self.listen(groups)
        self.jobs[0].with_user(self.owner).action_cancel()
        self.assertEqual(self.sent(), sorted(groups))

    def test_lists_have_one_channel_each_model(self):
        (of_jobs,) = self.watch(self.owner, [])
        (of_computations,) = self.watch(self.owner, [], "nameko.compute")
        self.listen([of_jobs, of_computations])
        self.live._note([("nameko.job", 0)])
        self.assertEqual(self.sent(), [of_jobs])

    def test_a_browser_that_listens_to_more_begins_to(self):
        self.assertEqual(self.listen(["one"]), ["one"])
        self.assertEqual(self.listen(["one", "other"]), ["other"])
        self.assertEqual(self.listen(["other"]), [])
        self.listen(["other"], "another browser")
        self.assertEqual(self.viewers._listened(), {"other": 2})

    def test_nothing_is_sent_where_nobody_looks(self):
        self.jobs.with_user(self.owner).action_cancel()
        self.assertEqual(self.sent(), [])

    def test_a_browser_of_yesterday_does_not_count(self):
        self.listen(["one"])
        self.env.cr.execute("UPDATE nameko_live_viewer SET since = since - interval '25 hours'")
        self.assertFalse(self.viewers._listened())
        self.viewers._gc_old()
        self.assertFalse(self.viewers.search([]))

    def test_where_very_much_has_changed_everybody_reloads(self):
        channels = self.watch(self.owner)
        self.listen(channels)
        self.live._note([("other.model", number) for number in range(MOST_CHANGED + 1)])
        self.assertEqual(self.sent(), sorted(channels))

    def test_a_sign_of_life_has_nobody_reload(self):
        self.listen(self.watch(self.owner, []))
        self.live._send_sign_of_life("nameko.job")
        self.assertEqual(len(self.sent()), 1)
        (message,) = self.env["bus.bus"].search([("channel", "like", PREFIX)]).mapped("message")
        self.assertEqual(json.loads(message)["payload"], {"channels": []})

    def test_old_messages_are_deleted(self):
        channels = self.watch(self.owner)
        for channel, age in zip(channels, ("2 minutes", "10 seconds"), strict=True):
            self.live._send([channel])
            self.env.cr.precommit.run()
            self.env.cr.execute(
                "UPDATE bus_bus SET create_date = now() AT TIME ZONE 'UTC' - %s::interval"
                " WHERE id = (SELECT max(id) FROM bus_bus)",
                [age],
            )
        self.env["bus.bus"]._sendone("another channel", "x", {})
        self.live._forget_old()
        self.env["bus.bus"].invalidate_model()
        self.assertEqual(self.sent(), channels[1:])

    def subscribe(self, websocket, channels):
        data = {"channels": channels, "missed_presences": self.env["mail.presence"]}
        with patch.object(ir_websocket, "wsrequest", SimpleNamespace(ws=websocket)):
            self.env["ir.websocket"]._after_subscribe_data(data)

    def test_who_begins_to_listen_reads_once_more(self):
        """What has changed before that was sent to nobody."""
        channels = self.watch(self.owner)
        websocket = Connection()
        for _ in range(2):
            self.subscribe(websocket, [*channels, "another", self.env.user.partner_id])
        self.assertEqual(self.sent(), sorted(channels))

    def test_two_browsers_of_one_session(self):
        """Where a browser has no shared worker, each of its pages has a websocket."""
        first, second = Connection(), Connection()
        one, other = self.watch(self.owner)
        self.subscribe(first, [one])
        self.subscribe(second, [other])
        self.assertEqual(self.viewers._listened(), {one: 1, other: 1})
        ir_websocket.forget_connection(self.env, first)
        ir_websocket.forget_connection(self.env, Connection())
        self.assertEqual(self.viewers._listened(), {other: 1})

    def test_portal_users_hear_nothing(self):
        portal = self.new_user("portal", "base.group_portal")
        (channel,) = self.watch(self.owner, [])
        unchanged = lambda _self, channels: channels  # noqa: E731
        for user, heard in ((portal, []), (self.owner, [channel])):
            with patch.object(IrWebsocket, "_build_bus_channel_list", unchanged):
                channels = (
                    self.env["ir.websocket"].with_user(user)._build_bus_channel_list([channel])
                )
            self.assertEqual([each for each in channels if isinstance(each, str)], heard)
