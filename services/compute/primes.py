"""Counting primes: an operation that is CPU-heavy."""

from collections.abc import Callable, Iterator
from math import isqrt
from typing import Any

from services.compute.arithmetic import shorten, to_number
from services.exceptions import InvalidOperandError, NumberOutOfRangeError

FIRST_PRIME = 2
MAX_LIMIT = 10**10
SEGMENT = 1 << 19  # odd numbers sieved at a time: half a megabyte fits into the processor's cache


def prime_count(limit: int, report: Callable[[float], None] = lambda share: None) -> int:
    """Return π(limit), the number of primes up to and including `limit`.

    It is a segmented sieve of Eratosthenes over the odd numbers. `report` is called after each
    segment with the share that is done, from 0 to 1.
    """
    if limit < FIRST_PRIME:
        report(1.0)
        return 0
    count = 0  # of odd numbers: the first segment counts 1, which stands for the prime 2
    factors = list(odd_primes(isqrt(limit)))
    odd_numbers = (limit + 1) // 2
    for start in range(0, odd_numbers, SEGMENT):
        size = min(SEGMENT, odd_numbers - start)
        count += count_segment(start, size, factors)
        report((start + size) / odd_numbers)
    return count


def count_segment(start: int, size: int, factors: list[int]) -> int:
    """Return how many of the `size` odd numbers from `2 * start + 1` on have none of `factors`."""
    sieve = bytearray(b"\1") * size
    for prime in factors:
        first = max(prime * prime // 2, start + (prime // 2 - start) % prime)
        if first < start + size:
            offset = first - start
            sieve[offset::prime] = bytes(len(range(offset, size, prime)))
    return sieve.count(1)


def odd_primes(limit: int) -> Iterator[int]:
    """Yield the odd primes up to `limit`."""
    sieve = bytearray(b"\1") * (limit + 1)
    for number in range(3, limit + 1, 2):
        if sieve[number]:
            yield number
            sieve[number * number :: number] = bytes(len(range(number * number, limit + 1, number)))


def check_limit(limit: Any) -> int:
    """Return `limit` as an int, or raise `InvalidOperandError` or `NumberOutOfRangeError`."""
    number = to_number(limit)
    if not isinstance(number, int):
        raise InvalidOperandError(f"{shorten(limit)} is not a whole number: send an integer.")
    if not 0 <= number <= MAX_LIMIT:
        raise NumberOutOfRangeError(f"Primes are counted up to a limit from 0 to {MAX_LIMIT}.")
    return number
