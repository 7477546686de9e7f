"""Beats are read whatever is in them: a beat, or None."""

import json
import math
import uuid

import pytest
from broker.beats.beat import MOST_BYTES, read_beat
from broker.jobs.reply import Delivery
from hypothesis import given
from hypothesis import strategies as st

PARAMETER = {"name": "a", "kind": "KEYWORD_ONLY", "annotation": "int", "default": 1}
METHOD = {"name": "method", "doc": "Do it.", "parameters": [PARAMETER]}
SERVICE = {"name": "service", "doc": "A service.", "methods": [METHOD]}
BEAT = {
    "id": "27e80c13-b69c-41d3-a355-a9b21e23736e",
    "host": "host",
    "pid": 7,
    "version": "1.0",
    "started": "2026-01-02T03:04:05+00:00",
    "interval": 30.0,
    "services": [SERVICE],
}
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def read(body, content_type="application/json"):
    body = body if isinstance(body, (str, bytes)) else json.dumps(body)
    return read_beat(Delivery(1, "", content_type, body))


def changed(path, value):
    """BEAT with another value in one place."""
    beat = json.loads(json.dumps(BEAT))
    place = beat
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return beat


def places(value, path=()):
    """Every path to a value within BEAT."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in items:
        yield (*path, key)
        if isinstance(inner, (dict, list)):
            yield from places(inner, (*path, key))


PLACES = list(places(BEAT))


def test_a_beat_is_read():
    beat = read(BEAT)
    assert (beat.uuid, beat.pid, beat.interval) == (BEAT["id"], 7, 30.0)
    (service,) = beat.services
    assert (service.name, service.doc, service.methods) == ("service", "A service.", (METHOD,))


def test_beats_that_say_the_same_have_one_fingerprint():
    assert read(BEAT).fingerprint == read({**BEAT, "uptime": 99}).fingerprint
    assert read(BEAT).fingerprint != read({**BEAT, "pid": 8}).fingerprint


@pytest.mark.parametrize("told", [None, False, 1, "true", [True]])
def test_only_true_says_goodbye(told):
    assert read({**BEAT, "stopping": True}).stopping
    assert not read({**BEAT, "stopping": told}).stopping


def test_fingerprint_of_a_service_is_of_all_that_is_said_of_it():
    (service,) = read(BEAT).services
    assert read({**BEAT, "pid": 8}).services[0].fingerprint == service.fingerprint
    other = read(changed(("services", 0, "methods"), []))
    assert other.services[0].fingerprint != service.fingerprint


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"\xff\xfe", "[]", "null", "1", '"beat"', "{}", '{"id": 1}', "[" * 100_000,
        changed(("id",), "not a uuid"), changed(("pid",), True), changed(("pid",), -1),
        changed(("pid",), 2**31), changed(("interval",), "30"), changed(("interval",), math.nan),
        changed(("interval",), math.inf), changed(("started",), "yesterday"),
        changed(("started",), "2026-01-02T03:04:05"), changed(("host",), "\ud800"),
        changed(("started",), "0001-01-01T00:00:00+23:59"), changed(("host",), 7),
        changed(("services",), {}), changed(("services",), [SERVICE] * 101),
        changed(("services", 0, "name"), "a.b"), changed(("services", 0, "name"), ""),
        changed(("services", 0, "name"), "x" * 201), changed(("services", 0, "name"), "#"),
        changed(("services", 0, "methods", 0, "parameters", 0, "kind"), "ANY"),
        changed(("services", 0, "methods", 0, "parameters", 0, "default"), math.inf),
        json.dumps(changed(("host",), "x" * MOST_BYTES)),
        json.dumps(BEAT).replace('"default": 1', '"default": 1e999'),
    ],
)  # fmt: skip
def test_what_is_no_beat_is_none(body):
    assert read(body) is None


def test_another_content_type_is_never_parsed():
    assert read(BEAT, "application/x-python-serialize") is None
    assert read(BEAT, "") is None


@pytest.mark.parametrize(("told", "kept"), [(1e-9, 0.05), (0, 0.05), (-5, 0.05), (1e12, 900)])
def test_interval_is_bounded(told, kept):
    assert read({**BEAT, "interval": told}).interval == kept


def test_texts_are_bounded():
    beat = read(changed(("services", 0, "doc"), "x" * 50_000))
    assert len(beat.services[0].doc) == 10_000
    path = ("services", 0, "methods", 0, "parameters", 0, "default")
    (method,) = read(changed(path, ["x" * 5_000])).services[0].methods
    assert len(method["parameters"][0]["default"]) == 1_000


def test_of_two_methods_with_one_name_the_last_counts():
    methods = [METHOD, {**METHOD, "doc": "Other."}]
    (method,) = read(changed(("services", 0, "methods"), methods)).services[0].methods
    assert method["doc"] == "Other."


@given(place=st.sampled_from(PLACES), value=ANYTHING)
def test_anything_anywhere_is_read_or_none(place, value):
    beat = read(changed(place, value))
    if beat is not None:
        storable(beat)


@given(ANYTHING)
def test_anything_at_all_is_none(value):
    assert read(value) is None


@given(st.binary())
def test_any_bytes_are_none(body):
    assert read(body) is None


def storable(beat):
    """PostgreSQL takes all of it."""
    assert uuid.UUID(beat.uuid)
    text = json.dumps([[s.name, s.doc, s.methods] for s in beat.services], allow_nan=False)
    assert "\\u0000" not in text.replace("\\\\", "")
    text.encode()
    assert "\0" not in beat.host + beat.version
    assert beat.started.tzinfo is None
