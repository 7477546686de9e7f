"""Exact arithmetic on whatever JSON may bring: a right number or an error, never a wrong number."""

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

MAX_DIGITS = 4300  # what Python's own JSON accepts for one integer
BEYOND = 10**MAX_DIGITS
MAX_PAIRS = 100_000
PAIR = 2
INTEGER = re.compile(r"[+-]?[0-9]+")
DECIMAL = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


def calculate(operation: Any, value: Any, other: Any) -> Number:
    """
    Return the result of `operation` ("sum", "sub", "mul" or "div") on two operands.

    An operand is an int, a finite float, a `Decimal` or a numeric string. Integers stay exact;
    a quotient that is whole is an int, any other a float. Raises a `ComputeError`.
    """
    function = find_operation(operation)
    first, second = to_number(value), to_number(other)
    try:
        result = function(first, second)
    except OverflowError as error:
        raise _out_of_range("result") from error
    vanished = result == 0 and function in (operator.mul, quotient) and first and second
    if vanished or _is_absurd(result):
        raise _out_of_range("result")
    return result


def calculate_all(operation: Any, pairs: Any) -> list[Number]:
    """Return `calculate` of each `[value, other]` in `pairs`, in order; the first error ends it."""
    if not isinstance(pairs, (list, tuple)):
        raise InvalidPairsError("The pairs are not a list: send a list of [value, other].")
    if len(pairs) > MAX_PAIRS:
        raise InvalidPairsError(
            f"{len(pairs)} pairs are too many: send at most {MAX_PAIRS} in a request."
        )
    return [_calculate_pair(operation, index, pair) for index, pair in enumerate(pairs)]


def find_operation(name: Any) -> Callable[[Number, Number], Number]:
    """Return the function behind an operation's name, or raise `UnknownOperationError`."""
    if isinstance(name, str) and name in OPERATIONS:
        return OPERATIONS[name]
    known = ", ".join(OPERATIONS)
    raise UnknownOperationError(f"There is no operation {shorten(name)}: use one of {known}.")


def to_number(value: Any) -> Number:
    """Return `value` as int or finite float, or raise a `ComputeError`."""
    if isinstance(value, (str, Decimal)):
        number = parse_number(str(value).strip())
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        number = value
    else:
        raise _not_a_number(value)
    if isinstance(number, float) and not math.isfinite(number):
        raise _not_a_number(value)
    if _is_absurd(number):
        raise _out_of_range("operand")
    return number


def parse_number(text: str) -> Number:
    """Return the number that ASCII `text` writes: an int, or with point or exponent a float."""
    if len(text) > MAX_DIGITS + 1:
        raise _out_of_range("operand") if DECIMAL.fullmatch(text) else _not_a_number(text)
    if INTEGER.fullmatch(text):
        return int(text)
    if not DECIMAL.fullmatch(text):
        raise _not_a_number(text)
    number = float(text)
    if math.isinf(number) or (number == 0 and _has_digits_other_than_zero(text)):
        raise _out_of_range("operand")
    return number


def quotient(value: Number, other: Number) -> Number:
    """Return the quotient: the exact integer where it is whole, else the nearest float."""
    if other == 0:
        raise DivisionByZeroError("A number cannot be divided by zero: change the second operand.")
    exact = Fraction(value) / Fraction(other)
    return exact.numerator if exact.denominator == 1 else float(exact)


OPERATIONS: dict[str, Callable[[Number, Number], Number]] = {
    "sum": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "div": quotient,
}


def shorten(value: Any, length: int = 40) -> str:
    """Return `repr(value)`, cut so that a message stays readable."""
    try:
        text = repr(value)
    except ValueError:  # an integer of too many digits
        return "(a huge number)"
    return text if len(text) <= length else f"{text[:length]}…"


def _calculate_pair(operation: Any, index: int, pair: Sequence[Any]) -> Number:
    if not isinstance(pair, (list, tuple)) or len(pair) != PAIR:
        raise InvalidPairsError(f"Pair {index} is {shorten(pair)}: send [value, other].")
    try:
        return calculate(operation, *pair)
    except ComputeError as error:
        raise type(error)(f"Pair {index}: {error}") from error


def _is_absurd(number: Number) -> bool:
    return not -BEYOND < number < BEYOND


def _has_digits_other_than_zero(text: str) -> bool:
    return re.search("[1-9]", re.split("[eE]", text)[0]) is not None


def _not_a_number(value: Any) -> InvalidOperandError:
    return InvalidOperandError(f"{shorten(value)} is not a number: send a finite number.")


def _out_of_range(what: str) -> NumberOutOfRangeError:
    return NumberOutOfRangeError(
        f"The {what} is too large or too small: integers may have {MAX_DIGITS} digits, other"
        " numbers lie between 5e-324 and 1.7e308."
    )
