"""Arithmetic against `fractions.Fraction`: a right number or a named error, never a wrong number.

The suite tries 2,000 cases, `python -m tests.services.compute.test_arithmetic [CASES]` 20,000.
"""

import itertools
import json
import math
import sys
import time
from collections import Counter
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.compute.arithmetic import MAX_DIGITS, calculate, to_number
from services.exceptions import DivisionByZeroError, InvalidOperandError, NumberOutOfRangeError

EXACT = {
    "sum": Fraction.__add__,
    "sub": Fraction.__sub__,
    "mul": Fraction.__mul__,
    "div": Fraction.__truediv__,
}
LARGEST = Fraction(sys.float_info.max)
HALF_AN_ULP = Fraction(2) ** 970  # what rounds down to the largest float
SMALLEST = Fraction(5e-324)

integers = st.integers() | st.integers(-(10**400), 10**400) | st.integers(2**53 - 9, 2**53 + 9)
floats = st.floats(allow_nan=False, allow_infinity=False)
near = st.builds(math.ldexp, st.floats(-1, 1), st.integers(-1080, 1020))
operands = integers | floats | near | integers.map(str) | floats.map(repr)
texts = st.from_regex(r"\A[+-]?[0-9]{1,30}\.[0-9]{0,30}([eE][+-]?[0-9]{1,3})?\Z")
numbers: st.SearchStrategy[Any] = operands | texts | texts.map(Decimal)
cases = st.tuples(st.sampled_from(sorted(EXACT)), numbers, numbers)


def judge(operation: Any, value: Any, other: Any) -> Any:
    """Return what became of a case; raise AssertionError where a number is wrong."""
    first, second = Fraction(value), Fraction(other)
    try:
        result = calculate(operation, value, other)
    except DivisionByZeroError:
        assert second == 0
        return "division by zero"
    except NumberOutOfRangeError:
        assert is_out_of_range(first) or is_out_of_range(second) or is_lost(operation, value, other)
        return "out of range"
    exact = EXACT[operation](first, second)
    if exact.denominator == 1:
        assert type(result) is int
        assert result == exact
        return "int"
    assert type(result) is float
    assert is_nearest(result, exact)
    assert json.loads(json.dumps(result)) == result
    return "float"


def is_nearest(result: Any, exact: Any) -> Any:
    """Tell whether no neighbour of the float `result` is nearer to `exact`."""
    distance = abs(Fraction(result) - exact)
    neighbours = (math.nextafter(result, -math.inf), math.nextafter(result, math.inf))
    return all(
        distance <= abs(Fraction(each) - exact) for each in neighbours if math.isfinite(each)
    )


def is_out_of_range(number: Any) -> Any:
    """Tell whether a number that was written as a text or Decimal is no operand."""
    size = abs(number)
    if number.denominator == 1:
        return size >= LARGEST + HALF_AN_ULP
    return size <= SMALLEST / 2 or size >= LARGEST + HALF_AN_ULP


def is_lost(operation: Any, value: Any, other: Any) -> Any:
    """Tell whether the result is no int of MAX_DIGITS and no float either."""
    exact = EXACT[operation](Fraction(value), Fraction(other))
    if exact.denominator == 1:
        return abs(exact) >= 10**MAX_DIGITS
    return 0 < abs(exact) <= SMALLEST / 2 or abs(exact) >= LARGEST + HALF_AN_ULP


@given(cases)
@settings(max_examples=2000, deadline=None)
def test_a_right_number_or_an_error(case: Any) -> None:
    judge(*case)


def test_rounding_happens_once() -> None:
    other = 433.7168896913528
    exact = Fraction(2**53 + 1) - Fraction(other)
    assert calculate("sub", 2**53 + 1, other) == float(exact)
    assert calculate("sub", 2**53 + 1, other) != (2**53 + 1) - other


@pytest.mark.parametrize(
    ("operation", "value", "other", "result"),
    [
        ("sum", 99999, 99999, 199998),
        ("sum", 2.0**53, 1.0, 2**53 + 1),
        ("sum", "0.1", "0.2", 0.3),
        ("sum", 0.1, 0.2, 0.1 + 0.2),
        ("sum", "1e23", 0, 10**23),
        ("sum", 0.5, 0.5, 1),
        ("div", 1.0, 0.5, 2),
        ("mul", -0.0, 5, 0),
        ("mul", 1e300, 1e300, int(1e300) ** 2),
        ("div", "10", 4, 2.5),
        ("sum", Decimal("1.10"), Decimal("2.20"), 3.3),
    ],
)
def test_a_whole_result_is_an_int_and_any_other_a_float(
    operation: Any, value: Any, other: Any, result: Any
) -> None:
    found = calculate(operation, value, other)
    assert (found, type(found)) == (result, type(result))


@pytest.mark.parametrize(
    "text",
    [
        *(
            "9" * 4301,
            "-" + "9" * 4301,
            "0" * 4301,
            "9" * 100_000,
            "1e400",
            "1e-400",
            "1e999999999",
        ),
        *("0." + "0" * 4300 + "1", Decimal("9" * 4301), 10**MAX_DIGITS, -(10**MAX_DIGITS)),
    ],
    ids=itertools.count(),
)
def test_an_operand_that_is_too_large_or_too_small_is_a_named_error(text: Any) -> None:
    for pair in ((text, 1), (1, text)):
        with pytest.raises(NumberOutOfRangeError, match="operand is too large or too small"):
            calculate("sum", *pair)


@pytest.mark.parametrize(
    "text", ["9" * 4300, "-" + "9" * 4300, "0e999999999", "-0.0e-999999999"], ids=itertools.count()
)
def test_as_many_digits_as_documented_are_fine(text: Any) -> None:
    assert to_number(text) == (int(text) if "e" not in text else 0)


def test_a_long_text_is_refused_at_once() -> None:
    """Time that grows with the square of the length would take hours here."""
    with pytest.raises(InvalidOperandError):
        to_number("9" * 10_000_000 + "x")


def test_a_result_beyond_bounds_is_refused_and_never_rounded_to_something_else() -> None:
    huge = 10 ** (MAX_DIGITS - 1)
    for operation, a, b in (
        ("mul", huge, huge),
        ("mul", 1e-200, 1e-200),
        ("sum", huge, 0.5),
        ("div", 1, huge),
        ("div", 1e308, 3e-10),
    ):
        with pytest.raises(NumberOutOfRangeError):
            calculate(operation, a, b)


def main() -> None:
    """Try as many cases as the command line says, and count what became of them."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    found: Counter[str] = Counter()
    started = time.monotonic()

    @given(cases)
    @settings(
        max_examples=count, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    def trial(case: Any) -> None:
        found[judge(*case)] += 1

    trial()
    print(f"{found.total()} cases in {time.monotonic() - started:.0f} s: {dict(found)}")  # noqa: T201


if __name__ == "__main__":
    main()
