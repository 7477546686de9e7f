"""A type checker accepts the module, and finds wrong calls."""

import re

import pytest
from mypy import api
from nameko_connector.stubs.module import module_text

from tests.stubs.catalogues import PRICING, Service, method, parameter

USE = """
import datetime
from typing import Any

from services import pricing


def right(env: Any) -> None:
    service = pricing(env, priority=5, eta=datetime.datetime(2040, 1, 1), retry_on="*")
    service.call.quote(7, qty=3)
    service.delay.quote(order_id=7).get_result()
    service.with_options(on_match="replace", priority=None).request.quote(7)


def wrong(env: Any) -> None:
    pricing(env).call.quote("7")
    pricing(env).delay.quote(7, quantity=3)
    pricing(env).request.quot(7)
    pricing(env, prio=5)
    pricing(env).with_options(priority="high")
    pricing(env, on_match="other")
"""
# Names and defaults that would hide a type, or not fit one.
ODD = method(
    "list",
    parameter("a", annotation="list[int]", default=[]),
    parameter("b", annotation="int", default=None),
    parameter("c", annotation="decimal.Decimal", default="Decimal('1')"),
    parameter("d", annotation="dict | tuple | list | None", default=None),
    parameter("e", annotation="tuple[datetime.date, ...]", default="()"),
    parameter("f", annotation="float | uuid.UUID", default=1),
    doc="List.",
)
ODD_METHODS = (
    ODD,
    method("int", parameter("self")),
    method("Any", parameter("a", annotation="Any")),
)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = ["pricing_", "Pricing", "Any", "env", "typing", "methods", "property", "object", "type"]
    services = [PRICING, *(Service(name, "", ODD_METHODS) for name in names)]
    (tmp_path / "services.py").write_text(module_text(services))
    (tmp_path / "use.py").write_text(USE)
    return tmp_path


def test_wrong_calls_are_found(folder):
    options = ["--strict", "--ignore-missing-imports", "--python-version=3.10", "--config-file="]
    output, errors, _ = api.run([*options, "use.py", "services.py"])
    assert errors == ""
    first = USE.split("\n").index("def wrong(env: Any) -> None:") + 1
    found = re.findall(r"^([^:]+):(\d+): error", output, re.MULTILINE)
    assert {(file, int(line)) for file, line in found} == {
        ("use.py", first + each) for each in range(1, 7)
    }, output
