"""Jobs that tests of other addons perform: answered by hand, written by the addon's own code."""

from datetime import datetime, timedelta
from decimal import Decimal
from unittest.mock import Mock

from odoo import fields
from odoo.addons.nameko_compute.models.nameko_compute import NamekoCompute
from odoo.addons.nameko_connector import exceptions
from odoo.addons.nameko_connector.broker.amqp import errors
from odoo.addons.nameko_connector.testing import answered_calls, trap_jobs
from odoo.tests import tagged

from .jobs.job_case import JobCase


class PerformCase(JobCase):
    def setUp(self):
        super().setUp()
        self.trap = self.enterContext(trap_jobs(self.env))
        self.heard = []
        self.add_method("_on_heard", lambda record, what: self.heard.append((record.env, what)))

    def add_method(self, name, function):
        setattr(NamekoCompute, name, function)
        self.addCleanup(delattr, NamekoCompute, name)

    def perform(self, *answers, **options):
        """Answer all jobs of `pricing.quote` with this, or one job after the other."""
        answer = answers[0] if len(answers) == 1 else Mock(side_effect=answers)
        self.trap.perform({"pricing.quote": answer}, **options)

    def waits_for(self, jobs, **options):
        return self.rpc.delay("pricing", "add", after=jobs, **options)


@tagged("post_install", "-at_install")
class TestPerform(PerformCase):
    def test_a_result_is_written_into_its_field(self):
        job = self.job(record=self.record, result_field="name")
        self.perform("Ground")
        self.assertEqual((self.record.name, job.state), ("Ground", "done"))
        self.assertEqual((job.attempts, job.get_result()), (1, "Ground"))
        self.trap.assert_done()

    def test_a_callback_runs_as_the_user_who_asked(self):
        french = self.env["res.lang"]._activate_lang("fr_FR")
        record = self.record.with_context(lang=french.code)
        record.env["nameko.rpc"].delay("pricing", "quote", record=record, on_result="_on_heard")
        self.perform(Decimal("9.50"))
        ((env, result),) = self.heard
        self.assertEqual((env.user, env.su, env.lang), (self.user, False, "fr_FR"))
        self.assertEqual(result, Decimal("9.50"))

    def test_a_connection_that_nameko_has_lost_is_no_error_of_the_method(self):
        job = self.job(record=self.record, result_field="name", max_attempts=2)
        self.perform(BrokenPipeError(32, "Broken pipe"), "Ground")
        self.assertEqual((job.state, job.attempts, self.record.name), ("done", 2, "Ground"))

    def test_only_errors_of_the_service_are_retried(self):
        """Not that a job before it has failed, whatever `retry_on` names."""
        first = self.rpc.delay("pricing", "quote")
        second = self.waits_for(first, retry_on="*", max_attempts=5)
        self.perform(LookupError("no stock"))
        self.assertEqual((second.state, second.error_type), ("failed", "PredecessorFailed"))

    def test_results_are_as_they_come_from_a_service(self):
        self.job(record=self.record, on_result="_on_heard")
        self.perform({"amounts": (1, 2), 3: None})
        self.assertEqual(self.heard[0][1], {"amounts": [1, 2], "3": None})

    def test_a_function_answers_with_what_it_makes_of_the_arguments(self):
        job = self.rpc.delay("pricing", "quote", 7, qty=3)
        self.perform(lambda order_id, qty=1: [order_id, qty])
        self.assertEqual(job.get_result(), [7, 3])

    def test_arguments_that_a_function_does_not_take(self):
        job = self.job(record=self.record, on_error="_on_heard")
        self.perform(lambda order_id: order_id)
        self.assertIsInstance(self.heard[0][1], exceptions.WrongArguments)
        self.assertIn("currency", job.error_message)

    def test_an_exception_of_the_service(self):
        job = self.job(record=self.record, on_error="_on_heard")
        self.perform(LookupError("no stock", 7))
        self.assertEqual((job.state, job.error_type), ("failed", "LookupError"))
        error = self.heard[0][1]
        self.assertIsInstance(error, exceptions.RemoteError)
        self.assertEqual(
            (error.error.exc_type, error.error.exc_args), ("LookupError", ("no stock", 7))
        )

    def test_an_unknown_method(self):
        job = self.job(record=self.record, on_error="_on_heard")
        self.perform(errors.UnknownMethod("gone"))
        self.assertIsInstance(self.heard[0][1], exceptions.UnknownMethod)
        self.assertEqual(job.error_type, "UnknownMethod")

    def test_no_answer(self):
        for answer in (
            errors.CallTimeout("late"), exceptions.CallTimeout("late"),
            errors.UnknownService("gone"), exceptions.UnknownService("gone"),
        ):  # fmt: skip
            with self.subTest(answer=answer):
                self.heard.clear()
                job = self.job(record=self.record, on_error="_on_heard", max_attempts=2)
                self.perform(answer)
                kind = type(answer).__name__
                self.assertEqual((job.state, job.error_type, job.attempts), ("failed", kind, 2))
                self.assertEqual([type(error).__name__ for _env, error in self.heard], [kind])
                self.assertEqual(self.attempts(job), [(1, kind), (2, kind)])

    def test_what_ends_no_job_is_refused(self):
        self.job()
        with self.assertRaisesRegex(TypeError, "cannot be the answer to a job"):
            self.perform(errors.BrokerUnreachable("down"))

    def test_an_answer_that_is_missing(self):
        job = self.job()
        with self.assertRaisesRegex(AssertionError, "pricing.quote, for which no answer is given"):
            self.trap.perform({"pricing.quotes": 42})
        self.assertEqual((job.state, job.attempts), ("pending", 0))

    def test_mistakes_of_the_test_are_not_the_services(self):
        self.job()
        with self.assertRaisesRegex(AssertionError, "^3 != 4$"):
            self.perform(lambda _order, currency: self.assertEqual(3, 4))
        with self.assertRaisesRegex(AssertionError, "No answer is left for pricing.quote"):
            self.perform(Mock(side_effect=[]))

    def test_only_some_jobs(self):
        first, second = self.job(), self.job()
        self.perform(42, jobs=second)
        self.assertEqual((first.state, second.state), ("pending", "done"))

    def test_jobs_are_performed_by_time_and_priority(self):
        soon = fields.Datetime.now() + timedelta(days=1)
        for number, options in enumerate(
            ({"eta": datetime(2040, 1, 1)}, {"eta": soon}, {"priority": 11}, {}, {"priority": 9})
        ):
            self.rpc.delay("pricing", "quote", number, **options)
        order = []
        self.perform(order.append)
        self.assertEqual(order, [4, 3, 2, 1, 0])
        self.assertGreaterEqual(min(self.trap.jobs.mapped("waited")), 0)

    def test_a_result_that_cannot_be_written(self):
        job = self.job(record=self.record, result_field="value")
        self.perform("three")
        self.assertEqual((job.state, job.error_type), ("failed", "UnusableResult"))
        with self.assertRaisesRegex(
            AssertionError, "^1 jobs are not done:\n- pricing.quote: failed, "
        ):
            self.trap.assert_done()

    def test_a_user_who_may_not_write_any_more(self):
        job = self.job(record=self.record, result_field="value").sudo()
        self.user.group_ids = self.env.ref("base.group_user")
        self.perform(42)
        self.assertEqual((job.state, job.error_type), ("failed", "AccessError"))
        self.assertEqual(self.record.sudo().value, 1)

    def test_a_callback_may_call_and_delay(self):
        def on_quoted(record, result):
            rpc = record.env["nameko.rpc"]
            record.value = rpc.call("pricing", "round", result)
            rpc.delay("pricing", "quote", 2, record=record, result_field="other")

        self.add_method("_on_quoted", on_quoted)
        self.job(record=self.record, on_result="_on_quoted")
        with answered_calls({"pricing.round": round}):
            self.perform(9.6)
        self.assertEqual((self.record.value, self.record.other), (10, 2))
        self.assertEqual(self.trap.jobs.mapped("state"), ["done", "pending"])
        self.perform(8)
        self.assertEqual(self.record.other, 8)

    def test_jobs_of_callbacks_join_a_trap_whose_block_has_ended(self):
        self.add_method(
            "_on_again", lambda record, _result: record.env["nameko.rpc"].delay("a", "b")
        )
        with trap_jobs(self.env) as trap:
            self.job(record=self.record, on_result="_on_again")
        self.job()
        trap.perform({"pricing.quote": 1})
        self.assertEqual([job.display_name for job in trap.jobs], ["pricing.quote", "a.b"])


@tagged("post_install", "-at_install")
class TestPerformAttempts(PerformCase):
    def test_a_job_is_sent_again(self):
        job = self.job(record=self.record, result_field="value", retry_on="LookupError")
        self.perform(LookupError("busy"), errors.CallTimeout("late"), 42)
        self.assertEqual((job.state, job.attempts, self.record.value), ("done", 3, 42))
        self.assertEqual(self.attempts(job), [(1, "LookupError"), (2, "CallTimeout")])

    def test_until_its_attempts_are_used_up(self):
        job = self.job(record=self.record, on_error="_on_heard", retry_on="*", max_attempts=2)
        self.perform(LookupError("busy"))
        self.assertEqual((job.state, job.attempts, len(self.heard)), ("failed", 2, 1))

    def test_other_exceptions_end_it(self):
        job = self.job(retry_on="LookupError")
        self.perform(ValueError("no"))
        self.assertEqual((job.state, job.attempts), ("failed", 1))

    def test_one_attempt_at_a_time(self):
        job = self.job(retry_on="*", retry_delays=[100], record=self.record, result_field="value")
        self.perform(LookupError("busy"), attempts=1)
        self.assertEqual((job.state, job.attempts, self.record.value), ("pending", 1, 1))
        self.assertGreater(job.eta, fields.Datetime.now() + timedelta(seconds=90))
        self.perform(42, attempts=1)
        self.assertEqual((job.state, job.attempts, self.record.value), ("done", 2, 42))


@tagged("post_install", "-at_install")
class TestPerformWorkflows(PerformCase):
    def setUp(self):
        super().setUp()
        self.pricing = self.rpc.service("pricing")

    def test_a_chain(self):
        request = self.pricing.with_options(record=self.record, result_field="value").request
        jobs = self.rpc.chain(self.pricing.request.quote(7), request.add(1), name="Both")
        self.trap.perform({"pricing.quote": 41, "pricing.add": lambda *values: sum(values)})
        self.assertEqual((self.record.value, jobs.mapped("state")), (42, ["done", "done"]))
        self.assertEqual(jobs.batch_id.state, "done")

    def test_results_of_a_group(self):
        parts = self.rpc.delay_many([self.pricing.request.quote(number) for number in (1, 2)])
        ways = {"list": [[1, 2], 9], "arguments": [1, 2, 9], "nothing": [9]}
        jobs = [self.rpc.delay("pricing", "add", 9, after=parts, results_as=way) for way in ways]
        answers = {"pricing.quote": lambda number: number, "pricing.add": lambda *args: args}
        self.trap.perform(answers)
        self.assertEqual([job.get_result() for job in jobs], list(ways.values()))

    def test_what_follows_a_failed_job_fails(self):
        first = self.job()
        second = self.waits_for(first, record=self.record, on_error="_on_heard")
        third = self.waits_for(second)
        self.perform(LookupError("no stock"))
        self.assertEqual((second + third).mapped("error_type"), ["PredecessorFailed"] * 2)
        self.assertIsInstance(self.heard[0][1], exceptions.PredecessorFailed)

    def test_a_job_that_waits_for_one_of_which_only_an_attempt_was_made(self):
        first = self.job(retry_on="*")
        second = self.waits_for(first)
        self.perform(LookupError("busy"), attempts=1)
        self.assertEqual(
            (first.state, second.state, second.is_waiting), ("pending", "pending", True)
        )

    def test_the_end_of_a_batch(self):
        def on_all_quoted(record, batch):
            self.heard.append((record.env.user, record, batch.done_count, batch.failed_count))
            record.name = "All quoted"

        self.add_method("_on_all_quoted", on_all_quoted)
        requests = [self.pricing.request.quote(number) for number in range(3)]
        jobs = self.rpc.delay_many(requests, record=self.record, on_done="_on_all_quoted")
        self.perform(42, jobs=jobs[0])
        self.assertEqual((self.heard, jobs.batch_id.state), ([], "running"))
        self.perform(42, LookupError("no stock"))
        self.perform(42)
        self.assertEqual(self.heard, [(self.user, self.record, 2, 1)])
        self.assertEqual((self.record.name, jobs.batch_id.state), ("All quoted", "failed"))

    def test_a_batch_of_none(self):
        self.rpc.delay_many([], record=self.record, on_done="_on_heard")
        self.perform(42)
        self.assertEqual([batch for _env, batch in self.heard], list(self.trap.batches))

    def test_the_error_of_on_done_is_in_the_batch(self):
        self.add_method("_on_all", lambda _record, _batch: 1 / 0)
        self.rpc.delay_many([self.pricing.request.quote()], record=self.record, on_done="_on_all")
        self.perform(42)
        self.assertEqual(self.trap.batches.mapped("error"), ["division by zero"])
