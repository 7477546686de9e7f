"""How many values a message may have: Odoo and the services count them alike."""

import json
from typing import Any

import pytest
from broker.amqp import reading as of_odoo
from hypothesis import given
from hypothesis import strategies as st

from services.messaging import reading as of_services

MOST = 10
TEXTS = st.text(alphabet='a,[{"\\\n', max_size=30)
JSON = st.recursive(
    st.none() | st.integers(0, 9) | TEXTS,
    lambda inner: st.lists(inner, max_size=8) | st.dictionaries(TEXTS, inner, max_size=8),
    max_leaves=40,
)


def values_in(content: Any) -> int:
    """Count what is in the lists and objects of a JSON value."""
    if isinstance(content, dict):
        content = list(content.values())
    if not isinstance(content, list):
        return 0
    return len(content) + sum(map(values_in, content))


@pytest.fixture(autouse=True, scope="module")
def few():
    with pytest.MonkeyPatch.context() as patch:
        for module in (of_odoo, of_services):
            patch.setattr(module, "MOST_VALUES", MOST)
        yield


@given(JSON)
def test_json_with_many_is_refused_and_other_is_not(content: Any):
    text = json.dumps(content)
    refused = of_odoo.has_many_values(text)
    assert refused == of_services.has_many_values(text)
    assert refused == of_services.has_many_values(text.encode())
    if values_in(content) < MOST:
        assert not refused
    if values_in(content) > 2 * MOST:
        assert refused


@given(st.text(alphabet='a,[{"\\:}]', max_size=60))
def test_what_is_no_json_is_counted_somehow(text: str):
    assert of_odoo.has_many_values(text) == of_services.has_many_values(text)
