"""Nameko's worker context reaches the service."""

import pytest
from broker import Client

from tests.broker.probe import echo, probe

pytestmark = pytest.mark.usefixtures("kept_service")
CONTEXT = {"user_id": 2, "language": "es_ES", "company_id": 1, "database": "odoo"}


def test_the_context_arrives(client: Client):
    arrived = client.call(probe("worker_context"), context=CONTEXT)
    assert CONTEXT.items() <= arrived.items()


def test_values_of_none_are_left_out(client: Client):
    assert "language" not in client.call(probe("worker_context"), context={"language": None})


def test_the_call_is_the_first_of_namekos_call_ids(client: Client):
    stack = client.call(probe("worker_context"))["call_id_stack"]
    assert stack[0].startswith("odoo.call.")
    assert stack[1].startswith("probe.worker_context.")


def test_the_context_of_one_call_is_not_that_of_the_next(client: Client):
    client.call(echo(1), context=CONTEXT)
    assert "user_id" not in client.call(probe("worker_context"))


def test_the_context_travels_with_many(client: Client):
    outcomes = client.call_many([probe("worker_context")] * 3, context=CONTEXT)
    assert [outcome.get()["user_id"] for outcome in outcomes] == [2, 2, 2]
