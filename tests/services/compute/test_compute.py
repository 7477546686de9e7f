"""`compute` alone: right numbers, named errors, mails."""

import math
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nameko.testing.services import worker_factory

from services import ComputeService
from services.compute.arithmetic import calculate
from services.compute.primes import prime_count
from services.exceptions import (
    ComputeError,
    DivisionByZeroError,
    InvalidOperandError,
    InvalidPairsError,
    NumberOutOfRangeError,
    UnknownOperationError,
)


@pytest.fixture
def service():
    return worker_factory(ComputeService)


@pytest.mark.parametrize(
    ("operation", "result"), [("sum", 40), ("sub", 20), ("mul", 300), ("div", 3)]
)
def test_the_four_operations(service, operation, result):
    assert service.compute(operation, 30, 10) == result
    assert isinstance(service.compute(operation, "30", " 10 "), int)
    service.after_reply.assert_not_called()


@given(st.integers(), st.integers().filter(bool))
def test_what_was_multiplied_is_divided_exactly(a, b):
    assert calculate("div", calculate("mul", a, b), b) == a


@given(
    st.sampled_from(["sum", "sub", "mul", "div"]) | st.text() | st.none() | st.lists(st.text()),
    *[st.recursive(st.none() | st.booleans() | st.floats() | st.text() | st.integers(), st.lists)]
    * 2,
)
def test_anything_gives_a_finite_number_or_a_named_error(operation, a, b):
    try:
        result = calculate(operation, a, b)
    except ComputeError as raised:
        result = raised
    if isinstance(result, ComputeError):
        assert type(result) is not ComputeError
        assert len(str(result)) < 300
    else:
        assert type(result) in (int, float)
        assert math.isfinite(result)


@pytest.mark.parametrize(
    "bad",
    [
        *(True, False, None, [], {}, [1], b"1", math.nan, math.inf, -math.inf, Decimal("NaN")),
        *("", " ", "abc", "1,5", "1_000", "0x10", "NaN", "inf", "-Infinity", "٣", "1e", ".", "1 2"),
    ],
)
def test_what_is_no_number_is_refused(bad):
    for operands in ((bad, 1), (1, bad)):
        with pytest.raises(InvalidOperandError, match="is not a number"):
            calculate("sum", *operands)


@pytest.mark.parametrize("zero", [0, 0.0, -0.0, "0", "0.0", "-0", "0e5"])
def test_division_by_zero(zero):
    with pytest.raises(DivisionByZeroError, match="change the divisor"):
        calculate("div", 1, zero)


@pytest.mark.parametrize("operation", ["", "SUM", "pow", None, 1, ["sum"], "__class__"])
def test_unknown_operations(operation):
    with pytest.raises(UnknownOperationError, match="use one of sum, sub, mul, div"):
        calculate(operation, 1, 1)


def test_decimals_count_as_numbers():
    assert calculate("sum", Decimal("0.5"), Decimal("2")) == 2.5


def test_a_result_is_mailed(service):
    assert service.compute("sum", 30, 10, "name@example.com") == 40
    subject, contents = "Your operation is complete!", "The result is: 40"
    service.after_reply.assert_called_once_with(
        service.mail.send.call_async, "name@example.com", subject, contents
    )


def test_an_error_is_mailed_and_raised(service):
    with pytest.raises(DivisionByZeroError) as raised:
        service.compute("div", 1, 0, "name@example.com")
    subject, contents = "An error occurred", str(raised.value)
    service.after_reply.assert_called_once_with(
        service.mail.send.call_async, "name@example.com", subject, contents
    )


def test_map_does_many(service):
    assert service.map("mul", [[2, 3], ["4", 5], (6, 0.5)]) == [6, 20, 3.0]
    assert service.map("mul", []) == []


def test_map_names_the_pair_that_fails(service):
    with pytest.raises(DivisionByZeroError, match="Pair 1: "):
        service.map("div", [[1, 1], [1, 0]])


@pytest.mark.parametrize("pairs", [None, 1, "ab", {}, [1], [[1]], [[1, 2, 3]]])
def test_map_refuses_what_are_no_pairs(service, pairs):
    with pytest.raises(InvalidPairsError):
        service.map("sum", pairs)


def test_map_refuses_too_many(service):
    with pytest.raises(InvalidPairsError, match="at most 100000"):
        service.map("sum", [[1, 1]] * 100_001)


@given(st.integers(-5, 3000))
def test_primes_are_counted_right(limit):
    primes = [n for n in range(2, limit + 1) if all(n % d for d in range(2, math.isqrt(n) + 1))]
    assert prime_count(limit) == len(primes)


@pytest.mark.parametrize(("limit", "count"), [(10**6, 78498), (10**7, 664579), (10**8, 5761455)])
def test_known_prime_counts(limit, count):
    shares = []
    assert prime_count(limit, shares.append) == count
    assert shares == sorted(shares)
    assert shares[-1] == 1


@pytest.mark.parametrize("limit", [1.5, "x", None, True, [], -1, 10**10 + 1])
def test_bad_limits(service, limit):
    with pytest.raises((InvalidOperandError, NumberOutOfRangeError)):
        service.prime_count(limit)
    service.pool.run.assert_not_called()


@pytest.mark.parametrize("job", ["x" * 256, 7, ["x"]])
def test_bad_jobs(service, job):
    """Each event of its progress would carry it."""
    with pytest.raises(InvalidOperandError, match="255 characters"):
        service.prime_count(10, job=job)
    service.pool.run.assert_not_called()
