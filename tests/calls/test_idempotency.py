"""A call has one idempotency id, however often Odoo runs the request that makes it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from stack.demo import PASSWORD
from stack.web import WebClient
from tests.conftest import Stack
from tests.odoo_process import OdooProcess, running_odoo
from tests.processes import running
from tests.vhosts import new_vhost


@dataclass(frozen=True)
class Calls:
    """An Odoo, and what the service that it calls has noted."""

    odoo: OdooProcess
    folder: Path

    def begin(self, *, conflicts: int) -> None:
        """Forget the ids, and have so many calls spoil the transaction that makes them."""
        (self.folder / "ids").write_text("")
        (self.folder / "conflicts").write_text(str(conflicts))

    @property
    def ids(self) -> list[str]:
        return (self.folder / "ids").read_text().split()


@pytest.fixture(scope="module")
def running_calls(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Calls]:
    folder = tmp_path_factory.mktemp("calls")
    with (
        new_vhost() as vhost,
        running(
            "tests.calls.conflicting_service", AMQP_URI=vhost.amqp_uri, CALLS_FOLDER=str(folder)
        ),
        running_odoo(stack.database, AMQP_URI=vhost.amqp_uri) as odoo,
    ):
        yield Calls(odoo, folder)


@pytest.fixture
def calls(running_calls: Calls) -> Calls:
    running_calls.begin(conflicts=0)
    return running_calls


@pytest.fixture
def client(calls: Calls) -> WebClient:
    return calls.odoo.web_client()


def click(calls: Calls, client: WebClient, method: str, ids: list[int]) -> None:
    client.click("nameko.compute", method, ids)


def call_over_json_rpc(calls: Calls, client: WebClient, method: str, ids: list[int]) -> None:
    """Call it where Odoo shows no request to what it runs, and repeats only the transaction."""
    arguments = [calls.odoo.database, client.user_id, PASSWORD, "nameko.compute", method, [ids]]
    params = {"service": "object", "method": "execute_kw", "args": arguments}
    address = f"http://127.0.0.1:{calls.odoo.port}/jsonrpc"
    answer = requests.post(address, json={"method": "call", "params": params}, timeout=60)
    assert "error" not in answer.json(), answer.text


WAYS = pytest.mark.parametrize("ask", [click, call_over_json_rpc])
Ask = Callable[[Calls, WebClient, str, list[int]], None]


def make(client: WebClient, value: int, **values: object) -> int:
    values = {"name": "Idempotent", "value": value, "other": 2, **values}
    return int(client.save("nameko.compute", values, ["id"])["id"])


@WAYS
def test_each_run_of_a_request_sends_the_same_id(calls: Calls, client: WebClient, ask: Ask):
    record = make(client, 10_001)
    calls.begin(conflicts=2)
    ask(calls, client, "action_suma", [record])
    assert len(calls.ids) == 3
    assert len(set(calls.ids)) == 1
    (read,) = client.call("nameko.compute", "read", [record], ["result"])
    assert read["result"] == 10_003


@WAYS
def test_equal_calls_of_one_request_have_ids_of_their_own(
    calls: Calls, client: WebClient, ask: Ask
):
    records = [make(client, 10_002, is_mailed=True) for _ in range(2)]
    calls.begin(conflicts=2)  # both calls of the first run
    ask(calls, client, "action_compute", records)
    first, second = calls.ids[:2], calls.ids[2:]
    assert len(set(first)) == 2
    assert sorted(second) == sorted(first)


def test_each_click_has_an_id_of_its_own(calls: Calls, client: WebClient):
    record = make(client, 10_003)
    for _ in range(2):
        client.click("nameko.compute", "action_suma", [record])
    assert len(set(calls.ids)) == 2
    assert "None" not in calls.ids
