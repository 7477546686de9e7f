"""What calls and jobs are given: a wrong value is named, and what counts as given."""

import math
from datetime import date, datetime, timedelta, timezone

from odoo.addons.nameko_compute.tests.common import ComputationCase
from odoo.addons.nameko_connector.broker.amqp.request import Request
from odoo.addons.nameko_connector.exceptions import InvalidCall, InvalidJob, NotSendable
from odoo.addons.nameko_connector.tools.job_request import JobOptions, JobRequest
from odoo.exceptions import UserError
from odoo.tests import tagged

WRONG = {
    "priority": ("high", 1.5, 10**20, -(10**20), 2**31, math.nan, True, [1], object()),
    "eta": ("tomorrow", 0, 5, date(2026, 1, 1), timedelta(1), True, [datetime(2026, 1, 1)]),
    "identity_key": (5, b"key", "\ud800", "a\0", "k" * 501, ["key"], True),
    "unique_for": ("5", 0, -1, math.inf, math.nan, 2**31, True, timedelta(0), [5]),
    "limit_key": (5, b"key", "\ud800", "a\0", "k" * 501, ["key"], True),
    "most_at_once": ("3", 0, -1, 1.5, 2**31, math.nan, True, [3]),
    "on_match": ("other", 5, ["keep"], True),
    "timeout": ("5", 0, -1, math.inf, math.nan, 2**31, 10**400, True, timedelta(1), [5]),
    "max_attempts": ("3", 0, -1, 1.5, 2**31, 10**20, math.nan, True, [3]),
    "max_again": ("3", 0, -1, 1.5, 2**31, math.nan, True, [3]),
    "retry_delays": ("10,60", 10, [-1], ["10"], [math.inf], [10**400], [None], {10: 1}, True),
    "retry_on": (ValueError, [ValueError], 5, [5], [""], "A,B", " A", ["\ud800"], {"A": 1}, True),
    "after": (5, [5], "job", True),
    "results_as": ("lists", 5, ["list"], True),
    "record": (5, "res.users", [1], True),
    "result_field": (5, b"value", ["value"], "\0", True),
    "on_result": (5, ["_on_x"], print, True),
    "on_error": (5, ["_on_x"], print, True),
}
NONE_GIVEN = {
    "priority": 10, "eta": False, "identity_key": False, "unique_for": 0, "limit_key": False,
    "most_at_once": 0, "timeout": 3600,
    "max_attempts": 3, "max_again": 1000, "retry_delays": "10,60,300", "retry_on": False,
    "results_as": "list",
    "result_field": False, "on_result": False, "on_error": False,
}  # fmt: skip


@tagged("post_install", "-at_install")
class TestOptions(ComputationCase):
    def setUp(self):
        super().setUp()
        self.rpc = self.env["nameko.rpc"]

    def delay(self, **options):
        return self.rpc.delay("compute", "method", 1, 2, **options)

    def test_wrong_options_are_named_with_their_values(self):
        record = self.computation(1, 2)
        for name, values in WRONG.items():
            on_record = name in ("result_field", "on_result", "on_error")
            others = {"record": record} if on_record else {}
            for value in values:
                with self.subTest(name=name, value=value):
                    with self.assertRaises(InvalidJob) as caught:
                        self.delay(**{name: value}, **others)
                    self.assertRegex(str(caught.exception), rf"^compute\.method: {name} ")
                    self.assertRegex(str(caught.exception), "give |leave ")

    def test_every_option_is_tried(self):
        self.assertEqual(set(WRONG), set(JobOptions.__dataclass_fields__))

    def test_a_number_that_is_too_large_is_called_a_number(self):
        with self.assertRaisesRegex(InvalidJob, "give a whole number from -2,147,483,647 to 2,1"):
            self.delay(priority=10**20)

    def test_what_is_empty_counts_as_not_given(self):
        for empty in (None, False):
            job = self.delay(**dict.fromkeys(JobOptions.__dataclass_fields__, empty))
            self.assertEqual({name: job[name] for name in NONE_GIVEN}, NONE_GIVEN)
        texts = ("identity_key", "limit_key", "result_field", "on_result", "on_error", "retry_on")
        self.assertFalse(self.delay(**dict.fromkeys(texts, "")).identity_key)

    def test_a_text_counts_as_one(self):
        self.assertEqual(self.delay(retry_on="ValueError").retry_on, "ValueError")
        self.assertEqual(self.delay(retry_on="*").retry_on, "*")
        self.assertEqual(self.delay(retry_on={"KeyError", "A"}).retry_on, "A,KeyError")
        job = self.rpc.delay_many([JobRequest("compute", "method", "one")])
        self.assertEqual(job.arguments, '{"args": ["one"], "kwargs": {}}')

    def test_a_time_with_a_zone_is_kept_in_utc(self):
        eta = datetime(2030, 1, 1, 12, tzinfo=timezone(timedelta(hours=2)))
        self.assertEqual(self.delay(eta=eta).eta, datetime(2030, 1, 1, 10))

    def test_a_time_is_kept_in_whole_seconds_and_no_earlier(self):
        self.assertEqual(
            self.delay(eta=datetime(2030, 1, 1, 10, 0, 0, 1)).eta, datetime(2030, 1, 1, 10, 0, 1)
        )
        with self.assertRaisesRegex(InvalidJob, "years of UTC"):
            self.delay(eta=datetime.max)

    def test_record_must_be_one_and_saved(self):
        records = self.env["nameko.compute"]
        two = self.computation(1, 2) + self.computation(3, 4)
        for record in (two, records.new({"value": 1}), records.browse([0]), records.browse(2**40)):
            with self.subTest(record=record), self.assertRaisesRegex(InvalidJob, "record is nam"):
                self.delay(record=record)
        self.assertFalse(self.delay(record=records).res_model)

    def test_jobs_to_wait_for_must_exist(self):
        jobs = self.env["nameko.job"]
        for after in (self.computation(1, 2), jobs.browse([0]), jobs.browse(2**31 - 1), jobs.new()):
            with self.subTest(after=after), self.assertRaisesRegex(InvalidJob, "after "):
                self.delay(after=after)
        self.assertFalse(self.delay(after=jobs).is_waiting)

    def test_requests_of_jobs(self):
        for requests in (
            None, "compute", 5, JobRequest("compute", "method"), [None], ["compute.method"],
            [Request("compute", "method")], [JobRequest(5, "method")],
            [JobRequest("compute", None)], [JobRequest("compute", "method", 5)],
            [JobRequest("compute", "method", {1})], [JobRequest("compute", "method", (), "value")],
            [JobRequest("compute", "method", (), {5: 1})],
            [JobRequest("compute", "method", (), {}, {"priority": 1})],
        ):  # fmt: skip
            with self.subTest(requests=requests), self.assertRaisesRegex(InvalidJob, "give a"):
                self.rpc.delay_many(requests)
        with self.assertRaises(InvalidJob):
            self.rpc.chain("compute.method")

    def test_wrong_timeouts_of_calls(self):
        for timeout in (*WRONG["timeout"], 1_000_001):
            with self.subTest(timeout=timeout):
                with self.assertRaisesRegex(InvalidCall, "^compute.method: timeout is .*; give a"):
                    self.rpc.call("compute", "method", 1, 2, timeout=timeout)
                with self.assertRaisesRegex(InvalidCall, "^timeout is .*; give a"):
                    self.rpc.call_many([Request("compute", "method", (1, 2))], timeout=timeout)
        self.assertEqual(self.rpc.call("compute", "method", 1, 2, timeout=1_000_000), 3)
        many = self.rpc.call_many([Request("compute", "method", (1, 2))], timeout=1_000_000)
        self.assertEqual(many, [3])

    def test_wrong_names_of_calls(self):
        for names in ((5, "method"), ("compute", None), (["compute"], "method"), ("\ud800", "m")):
            with self.subTest(names=names), self.assertRaises(InvalidCall):
                self.rpc.call(*names)
        for name in ("\n", "*", "#", " ", "com\tpute", ""):
            for names in ((name, "method"), ("compute", name)):
                with self.subTest(names=names), self.assertRaises(NotSendable):
                    self.rpc.call(*names)
                with self.subTest(names=names), self.assertRaises(NotSendable):
                    self.rpc.delay(*names)

    def test_of_many_calls_a_wrong_one_stops_no_other(self):
        good = Request("compute", "method", (1, 2))
        wrong = (None, "compute.method", Request("compute", "method", 5), Request([], "method"),
                 Request("compute", "method", (), {5: 1}))  # fmt: skip
        first, *errors, last = self.rpc.call_many([good, *wrong, good])
        self.assertEqual((first, last), (3, 3))
        self.assertEqual([type(error) for error in errors], [InvalidCall] * len(wrong))
        for requests in (None, 5, "compute", good):
            with self.subTest(requests=requests), self.assertRaises(InvalidCall):
                self.rpc.call_many(requests)

    def test_what_json_has_no_form_for_is_no_argument(self):
        for value in (math.nan, math.inf, -math.inf, [1, {"x": math.nan}], "\ud800", {"\ud800": 1}):
            with self.subTest(value=value):
                with self.assertRaisesRegex(NotSendable, "argument 1"):
                    self.rpc.call("compute", "method", value)
                with self.assertRaisesRegex(NotSendable, "argument 'x'"):
                    self.rpc.delay("compute", "method", x=value)
        self.assertTrue(self.rpc.delay("compute", "method", "\U0001f600 \\ud800"))


@tagged("post_install", "-at_install")
class TestUnsavedComputation(ComputationCase):
    def test_buttons_want_saved_records(self):
        records = self.env["nameko.compute"]
        for unsaved in (records.browse([0]), records.browse([None]), records.new({"value": 1})):
            for press in ("action_suma", "action_compute", "action_compute_later"):
                refused = self.assertRaisesRegex(UserError, "^Save the record first")
                with self.subTest(unsaved=unsaved, press=press), refused:
                    getattr(unsaved, press)()
