"""Exact arithmetic on operands from JSON: it returns the right number or raises an error."""

import math
import operator
import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

from services.exceptions import (
    ComputeError,
    DivisionByZeroError,
    InvalidOperandError,
    InvalidPairsError,
    NumberOutOfRangeError,
    UnknownOperationError,
)

Number = int | float
Exact = int | Fraction

MAX_DIGITS = 4300  # the most that Python's own JSON accepts in an integer
BEYOND = 10**MAX_DIGITS
MAX_PAIRS = 100_000
PAIRS_AT_ONCE = 1_000
PAIR = 2
INTEGER = re.compile(r"[+-]?[0-9]+")
DECIMAL = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")


def calculate(operation: Any, value: Any, other: Any) -> Number:
    """Return the result of `operation` ("sum", "sub", "mul" or "div") on two operands.

    An operand is an int, a finite float, a `Decimal` or a numeric string, and is taken at its exact
    value. The result is computed exactly: a whole number is returned as an int with all its digits,
    any other number as the nearest float. Raises a `ComputeError`.
    """
    function = find_operation(operation)
    return to_result(function(to_exact(value), to_exact(other)))


def calculate_all(
    operation: Any, pairs: Any, pause: Callable[[], object] = lambda: None
) -> list[Number]:
    """Return the result of `calculate` for each `[value, other]` in `pairs`, in order.

    The first error is raised. pause: called after every thousand pairs, to let other workers run
    """
    if not isinstance(pairs, (list, tuple)):
        raise InvalidPairsError("The pairs are not a list: send a list of [value, other].")
    if len(pairs) > MAX_PAIRS:
        raise InvalidPairsError(
            f"{len(pairs)} pairs are too many: send at most {MAX_PAIRS} in a request."
        )
    results = []
    for index, pair in enumerate(pairs):
        if index % PAIRS_AT_ONCE == PAIRS_AT_ONCE - 1:
            pause()
        results.append(_calculate_pair(operation, index, pair))
    return results


def find_operation(name: Any) -> Callable[[Exact, Exact], Exact]:
    """Return the function behind an operation's name, or raise `UnknownOperationError`."""
    if isinstance(name, str) and name in OPERATIONS:
        return OPERATIONS[name]
    known = ", ".join(OPERATIONS)
    raise UnknownOperationError(f"There is no operation {shorten(name)}: use one of {known}.")


def to_number(value: Any) -> Number:
    """Return the int, or the nearest float, that `value` means; raises a `ComputeError`."""
    return to_result(to_exact(value))


def to_exact(value: Any) -> Exact:
    """Return the exact number that `value` means, or raise a `ComputeError`."""
    if isinstance(value, (str, Decimal)):
        return parse_number(str(value).strip())
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _not_a_number(value)
    if isinstance(value, int):
        return _check_size(value, "operand")
    if not math.isfinite(value):
        raise _not_a_number(value)
    return Fraction(value)


def parse_number(text: str) -> Exact:
    """Return the number in ASCII `text`, which may have a decimal point and an exponent."""
    if not DECIMAL.fullmatch(text):
        raise _not_a_number(text)
    if len(text.lstrip("+-")) > MAX_DIGITS:
        raise _out_of_range("operand")
    if INTEGER.fullmatch(text):
        return int(text)
    if not _has_digits_other_than_zero(text):
        return 0
    if float(text) in (0, math.inf, -math.inf):  # a Fraction with such an exponent would be huge
        raise _out_of_range("operand")
    return Fraction(text)


def to_result(exact: Exact) -> Number:
    """Return an exact number as an int if it is whole, else as the nearest float."""
    if exact.denominator == 1:
        return _check_size(exact.numerator, "result")
    try:
        result = float(exact)
    except OverflowError as error:
        raise _out_of_range("result") from error
    if result == 0:
        raise _out_of_range("result")
    return result


def quotient(value: Exact, other: Exact) -> Exact:
    """Return the exact quotient, or raise `DivisionByZeroError`."""
    if other == 0:
        raise DivisionByZeroError("A number cannot be divided by zero: change the divisor.")
    return Fraction(value) / Fraction(other)


OPERATIONS: dict[str, Callable[[Exact, Exact], Exact]] = {
    "sum": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "div": quotient,
}


def shorten(value: Any, length: int = 40) -> str:
    """Return `repr(value)`, cut so that a message stays readable."""
    try:
        text = repr(value)
    except ValueError:  # an integer with too many digits
        return "(a huge number)"
    return text if len(text) <= length else f"{text[:length]}…"


def _calculate_pair(operation: Any, index: int, pair: Sequence[Any]) -> Number:
    if not isinstance(pair, (list, tuple)) or len(pair) != PAIR:
        raise InvalidPairsError(f"Pair {index} is {shorten(pair)}: send [value, other].")
    try:
        return calculate(operation, *pair)
    except ComputeError as error:
        raise type(error)(f"Pair {index}: {error}") from error


def _check_size(number: int, what: str) -> int:
    if not -BEYOND < number < BEYOND:
        raise _out_of_range(what)
    return number


def _has_digits_other_than_zero(text: str) -> bool:
    return re.search("[1-9]", re.split("[eE]", text)[0]) is not None


def _not_a_number(value: Any) -> InvalidOperandError:
    return InvalidOperandError(f"{shorten(value)} is not a number: send a finite number.")


def _out_of_range(what: str) -> NumberOutOfRangeError:
    return NumberOutOfRangeError(
        f"The {what} is too large or too small: integers may have {MAX_DIGITS} digits, other"
        " numbers lie between 5e-324 and 1.7e308."
    )
