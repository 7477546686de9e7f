"""Odd values of all kinds."""

import math
from datetime import date, datetime
from decimal import Decimal

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

ODD_TEXTS = (
    "", "\0", "\ud800", "x" * 5000, "<b>x</b>", "sum", "invoice", "2024-02-29", "2024-02-30",
    "2024-02-29T12:00:00Z", "2024-02-29 12:00:00+02:00", "0001-01-01T00:00:00+14:00", "1",
)  # fmt: skip
ODD_NUMBERS = (
    2**31, -(2**31) - 1, 2**63, 10**400,
    Decimal("NaN"), Decimal("sNaN"), Decimal("0.1"), Decimal("1e999999"),
)  # fmt: skip
ODD = (
    None, True, False, 0, -1, 1.5, math.nan, math.inf, -math.inf, *ODD_NUMBERS, *ODD_TEXTS, b"x",
    date(2024, 2, 29), datetime(2024, 2, 29, 12), datetime(1, 1, 1), [], {}, [1], {"a": 1},
    {"__type__": "x"}, [[[[None]]]],
)  # fmt: skip
TEXTS = st.one_of(st.text(max_size=20), st.sampled_from(ODD_TEXTS))
NUMBERS = st.one_of(st.integers(), st.floats(), st.sampled_from(ODD_NUMBERS))
SCALARS = st.one_of(
    st.none(), st.booleans(), NUMBERS, TEXTS, st.binary(max_size=5), st.dates(), st.datetimes()
)
ANSWERS = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=5,
)


def examples(count):
    """Return Hypothesis settings: the same `count` examples in every run, without a deadline."""
    return settings(
        max_examples=count,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
