"""Odoo's websocket process stays as it is with the addon loaded."""

import contextlib
import json

import psutil
import pytest
import websocket

from stack.web import WebClient
from tests.odoo_process import OdooProcess
from tests.waiting import wait_until


@pytest.fixture
def gevent_process(prefork: OdooProcess) -> psutil.Process:
    """The process that serves websockets, as soon as it listens."""
    return wait_until(lambda: listener(prefork), what="Odoo's websocket process listens")


def listener(prefork: OdooProcess) -> psutil.Process | None:
    for child in psutil.Process(prefork.pid).children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):  # one that has just ended
            if any(each.laddr.port == prefork.websocket_port for each in child.net_connections()):
                return child
    return None


def connect(prefork: OdooProcess, client: WebClient) -> websocket.WebSocket:
    version = client.session_info()["websocket_worker_version"]
    address = f"127.0.0.1:{prefork.websocket_port}"
    return websocket.create_connection(
        f"ws://{address}/websocket?version={version}",
        cookie=f"session_id={client.session_id}",
        origin=f"http://{address}",
        timeout=30,
    )


def received_pong(connection: websocket.WebSocket) -> bool:
    """Whether the next frame is a pong; a notification of Odoo's bus may come before it."""
    opcode, _payload = connection.recv_data(control_frame=True)
    return bool(opcode == websocket.ABNF.OPCODE_PONG)


def test_websocket_process_serves_beside_calls(prefork, gevent_process):
    client = prefork.web_client()
    values = {"name": "Websocket", "value": 1, "other": 2}
    record = client.save("nameko.compute", values, ["id"])["id"]
    with contextlib.closing(connect(prefork, client)) as connection:
        data = {"channels": [], "last": 0}
        connection.send(json.dumps({"event_name": "subscribe", "data": data}))
        client.click("nameko.compute", "action_suma", [record])
        connection.ping()
        wait_until(lambda: received_pong(connection), what="a pong")
    assert gevent_process.is_running()
