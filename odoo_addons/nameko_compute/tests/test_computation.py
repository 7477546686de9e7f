"""The buttons of a computation, with the real service behind them."""

from odoo.addons.nameko_connector.exceptions import RemoteError, UnusableResult
from odoo.exceptions import UserError, ValidationError
from odoo.tests import tagged

from .common import ComputationCase


@tagged("post_install", "-at_install")
class TestButtons(ComputationCase):
    def test_sum_is_written_with_who_and_when(self):
        computation = self.computation(99999, 99999)
        computation.action_suma()
        self.assertEqual(computation.result, 199998)
        self.assertEqual(computation.state, "done")
        self.assertEqual(computation.computed_by_id, self.env.user)
        self.assertTrue(computation.computed_at)

    def test_each_operation(self):
        for operation, result in {"sum": 40, "sub": 20, "mul": 300, "div": 3}.items():
            computation = self.computation(30, 10, operation=operation)
            computation.action_compute()
            self.assertEqual(computation.result, result, operation)

    def test_sum_button_leaves_other_operations_alone(self):
        computation = self.computation(10, 5, operation="div")
        with self.assertRaisesRegex(UserError, "not “Sum”"):
            computation.action_suma()
        self.assertEqual((computation.operation, computation.state), ("div", "draft"))

    def test_sum_button_skips_other_operations_and_counts_them(self):
        sums = self.computation(1, 2) + self.computation(3, 4)
        quotient = self.computation(10, 5, operation="div")
        queued = self.computation(5, 6)
        queued.action_compute_later()
        message = (sums + quotient + queued).action_suma()["params"]["message"]
        self.assertEqual(sums.mapped("result"), [3, 7])
        self.assertEqual((quotient.state, queued.state), ("draft", "queued"))
        self.assertRegex(message, "2 computed, 0 failed.\n1 skipped: .*\n1 skipped: .*not “Sum”")

    def test_result_of_other_operands_is_dropped(self):
        for change in ({"value": 50}, {"other": 0}, {"operation": "mul"}):
            with self.subTest(change=change):
                computation = self.computation(1, 2)
                computation.action_suma()
                computation.write(change)
                self.assertEqual((computation.state, computation.result), ("draft", 0))
                self.assertFalse(computation.computed_by_id)

    def test_result_stays_where_no_operand_changes(self):
        computation = self.computation(1, 2)
        computation.action_suma()
        computation.write({"name": "One and two", "value": 1.0, "operation": "sum"})
        self.assertEqual((computation.state, computation.result), ("done", 3))

    def test_fractions(self):
        computation = self.computation(0.1, 0.2)
        computation.action_suma()
        self.assertEqual(computation.result, 0.1 + 0.2)

    def test_failing_record_raises_and_keeps_nothing(self):
        computation = self.computation(1, 0, operation="div")
        with self.assertRaises(RemoteError) as caught:
            computation.action_compute()
        self.assertEqual(caught.exception.error.exc_type, "DivisionByZeroError")
        self.assertEqual(computation.state, "draft")

    def test_operand_that_is_no_number_is_refused_when_saved(self):
        for operand in (float("nan"), float("inf")):
            with self.assertRaises(ValidationError):
                self.computation(operand, 1)

    def test_result_that_the_field_cannot_hold_is_refused(self):
        computation = self.computation(2**60, 1)  # 2**60 + 1 has more digits than a float
        with self.assertRaises(UnusableResult):
            computation.action_suma()
        self.assertEqual(computation.state, "draft")

    def test_a_copy_starts_afresh(self):
        computation = self.computation(1, 2)
        computation.action_suma()
        copy = computation.copy()
        self.assertEqual((copy.state, copy.result, copy.computed_by_id.id), ("draft", 0, False))


@tagged("post_install", "-at_install")
class TestManyRecords(ComputationCase):
    def test_sums_of_many(self):
        computations = self.env["nameko.compute"].create(
            [{"value": number, "other": 1} for number in range(2500)]
        )
        action = computations.action_suma()
        self.assertEqual(computations.mapped("result"), [number + 1 for number in range(2500)])
        self.assertEqual(set(computations.mapped("state")), {"done"})
        self.assertEqual(action["params"]["type"], "success")

    def test_failing_records_keep_their_error_and_stop_no_other(self):
        good = self.computation(6, 3, operation="div")
        bad = self.computation(6, 0, operation="div")
        product = self.computation(6, 3, operation="mul")
        action = (good + bad + product).action_compute()
        self.assertEqual((good + product).mapped("result"), [2, 18])
        self.assertEqual((good + bad + product).mapped("state"), ["done", "failed", "done"])
        self.assertIn("divided by zero", bad.error)
        self.assertEqual(action["params"]["type"], "warning")

    def test_error_disappears_when_computed_again(self):
        bad = self.computation(6, 0, operation="div")
        (bad + self.computation(1, 1)).action_compute()
        self.assertEqual(bad.state, "failed")
        bad.other = 2
        bad.action_compute()
        self.assertEqual((bad.state, bad.error, bad.result), ("done", False, 3))

    def test_the_same_record_twice_is_computed_once(self):
        computation = self.computation(1, 2)
        other = self.computation(3, 4)
        (computation | other | computation).action_suma()
        self.assertEqual(computation.result, 3)

    def test_no_record_is_no_error(self):
        self.env["nameko.compute"].action_suma()
