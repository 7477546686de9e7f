"""What the button says while something is away, and that it works again without a restart."""

import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor, as_completed

import pytest

from stack.web import OdooRefused, WebClient
from tests.conftest import Stack
from tests.waiting import wait_until

TIMEOUT = 5  # odoo.conf's [nameko] timeout, in seconds
FREE_AGAIN = TIMEOUT + 2  # what the request around the call may add


@pytest.fixture
def client(stack: Stack) -> WebClient:
    return stack.web_client()


@pytest.fixture
def computation(client: WebClient) -> int:
    return client.save("nameko.compute", {"name": "Outage", "value": 1, "other": 2}, ["id"])["id"]


def refusal(client: WebClient, computation: int) -> str:
    """Press the button, which must be refused within the timeout with nothing written."""
    started = time.monotonic()
    with pytest.raises(OdooRefused) as caught:
        client.click("nameko.compute", "action_suma", [computation])
    assert time.monotonic() - started < FREE_AGAIN
    assert caught.value.name.startswith("odoo.addons.nameko_connector.exceptions.")
    assert read(client, computation) == {"id": computation, "state": "draft", "result": 0.0}
    return str(caught.value)


def read(client: WebClient, computation: int) -> dict:
    return client.call("nameko.compute", "read", [computation], ["state", "result"])[0]


def works(client: WebClient, computation: int) -> bool:
    try:
        client.click("nameko.compute", "action_suma", [computation])
    except OdooRefused:
        return False
    return read(client, computation)["result"] == 3


WITHDRAWN = "the service is stopped or busy, and the request has been withdrawn"
NO_ANSWER = "did not answer within 5 seconds"
NO_BROKER = "The message broker cannot be reached"
UNDER_WAY = "This is already being computed, after an earlier click. Wait until it is done."


@pytest.mark.parametrize(
    ("connected", "program", "how", "message"),
    [
        ("connected before", "services", "stop", WITHDRAWN),
        ("connected before", "services", "freeze", NO_ANSWER),
        ("connected before", "rabbitmq", "stop", NO_BROKER),
        # A connection that was used a moment ago is not probed before it is used again.
        ("connected before", "rabbitmq", "freeze", f"{NO_BROKER}|{NO_ANSWER}"),
        ("never connected", "services", "freeze", NO_ANSWER),
        ("never connected", "rabbitmq", "stop", NO_BROKER),
        ("never connected", "rabbitmq", "freeze", NO_BROKER),
    ],
)
def test_button_says_what_is_wrong_and_works_again(
    stack, faults, client, computation, connected, program, how, message
):
    if connected == "connected before":
        other = client.save("nameko.compute", {"name": "Before", "value": 1, "other": 2}, ["id"])
        assert works(client, other["id"])
    else:
        stack.control.restart("odoo")
        client = wait_until(lambda: try_log_in(stack))
    odoo_pid = stack.control.pid("odoo")
    break_program(faults, program, how)
    assert re.search(message, refusal(client, computation))
    mend_program(stack, program, how)
    wait_until(lambda: works(client, computation), what="the button works again")
    assert stack.control.pid("odoo") == odoo_pid


def try_log_in(stack: Stack) -> WebClient | None:
    try:
        return stack.web_client()
    except OSError:
        return None


def break_program(faults, program, how):
    faults.stop(program) if how == "stop" else faults.signal(program, "STOP")


def mend_program(stack, program, how):
    if how == "freeze":
        stack.control.signal(program, "CONT")
    stack.wait_until_whole()


def test_other_users_are_served_while_a_click_waits(stack, faults, client, computation):
    faults.signal("services", "STOP")
    waiting = threading.Thread(target=works, args=(client, computation))
    waiting.start()
    assert stack.web_client().call("nameko.compute", "search_count", []) >= 1
    assert waiting.is_alive()
    waiting.join()


def test_a_double_click_asks_the_service_once(stack, faults, computation):
    """As in a list: two requests for the same records at the same moment."""
    clients = [stack.web_client(), stack.web_client()]
    faults.signal("services", "STOP")
    with ThreadPoolExecutor(2) as threads:
        clicks = [threads.submit(pressed, client, computation) for client in clients]
        first = next(as_completed(clicks))
        faults.signal("services", "CONT")
        assert first.result() == UNDER_WAY
        assert [click.result() for click in clicks if click is not first] == [""]
    assert read(clients[0], computation)["result"] == 3


def pressed(client: WebClient, computation: int) -> str:
    """Press the button; return what the user reads."""
    try:
        client.click("nameko.compute", "action_suma", [computation])
    except OdooRefused as error:
        return str(error)
    return ""
