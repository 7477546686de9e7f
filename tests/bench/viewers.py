"""Simulates open forms and lists, which Odoo's web client keeps up to date.

Each has its own websocket, and reads its records again when the bus says that they have changed, at
most once a second. In production this runs on other machines than Odoo, so here it uses as little
of the processor as it can: it searches the bytes of the responses and does not parse them.

`python -m tests.bench.viewers FILE` reads from FILE what to open. On SIGTERM it writes to FILE
which result each form showed at what time.
"""

import http.client
import json
import logging
import re
import signal
import socket
import struct
import sys
import threading
import time
from itertools import cycle
from pathlib import Path
from typing import Any

import websocket

from stack.web import WebClient

SESSIONS = 40  # that share the views: each takes a login
PAUSE_SECONDS, LONGEST_PAUSE, SHARE = 1.0, 5.0, 5  # between two reloads: see nameko_live.js
RESULT = re.compile(rb'"result": ?([-\d.]+)')
FORM_FIELDS: dict[str, Any] = {"display_name": {}, "number": {}, "result": {}, "text": {}}
LIST_FIELDS: dict[str, Any] = {  # those that the list of jobs shows
    "create_date": {},
    "display_name": {},
    "record_name": {},
    "user_id": {"fields": {"display_name": {}}},
    "seconds": {},
    "done_at": {},
    "reason": {},
    "state": {},
}
LIST_LIMITS = {"limit": 80, "count_limit": 10_001}  # as Odoo's web client has them


class Viewer:
    """An open view: the form of a record or, if `record` is 0, the list of the newest jobs."""

    def __init__(self, client: WebClient, websocket_uri: str, record: int) -> None:
        self.shown: list[tuple[int, float, float]] = []  # record, its result, when
        self._record = record
        model, ids = ("nameko.job.probe", [record]) if record else ("nameko.job", [])
        (self._channel,) = client.call("nameko.live", "watch", model, ids)
        self._cookie = f"session_id={client.session_id}"
        self._request = self._read_again(model, ids)
        self._server = http.client.HTTPConnection(client.address.removeprefix("http://"))
        self.load()
        self._bus = self._listen_to(websocket_uri, client.address)
        threading.Thread(target=self._follow, daemon=True).start()

    def _read_again(self, model: str, ids: list[int]) -> tuple[str, str]:
        """Return path and body of the request that reads what the view shows."""
        shown: dict[str, Any] = {"method": "web_read", "args": [ids]}
        shown["kwargs"] = {"specification": FORM_FIELDS}
        if not ids:
            shown = {"method": "web_search_read", "args": []}
            shown["kwargs"] = {"specification": LIST_FIELDS, "domain": [], **LIST_LIMITS}
        params = {"model": model, **shown}
        body = json.dumps({"jsonrpc": "2.0", "method": "call", "params": params})
        return f"/web/dataset/call_kw/{model}/{shown['method']}", body

    def load(self) -> None:
        """Read what the view shows."""
        path, body = self._request
        headers = {"Content-Type": "application/json", "Cookie": self._cookie}
        self._server.request("POST", path, body, headers)
        answer = self._server.getresponse().read()
        if self._record:
            found = RESULT.search(answer)
            assert found, answer
            self.shown.append((self._record, float(found[1]), time.time()))

    def _listen_to(self, uri: str, origin: str) -> socket.socket:
        connection = websocket.create_connection(uri, cookie=self._cookie, origin=origin)
        data = {"channels": [self._channel], "last": 0}
        connection.send(json.dumps({"event_name": "subscribe", "data": data}))
        connection.settimeout(None)
        bus = connection.sock
        assert bus
        self._connection = connection  # keep it, because its deletion would close the socket
        return bus

    def _follow(self) -> None:
        # A message that arrives during the pause waits in the socket.
        next_at = 0.0
        while True:
            if self._concerns(self._next_message()):
                time.sleep(max(0.0, next_at - time.monotonic()))
                began = time.monotonic()
                self.load()
                ended = time.monotonic()
                next_at = ended + max(PAUSE_SECONDS, min(SHARE * (ended - began), LONGEST_PAUSE))

    def _next_message(self) -> bytes:
        """Return what the next frame holds: a server's is not masked (RFC 6455, 5.2)."""
        size = self._receive(2)[1]
        if size == 126:
            (size,) = struct.unpack("!H", self._receive(2))
        elif size == 127:
            (size,) = struct.unpack("!Q", self._receive(8))
        return self._receive(size)

    def _receive(self, size: int) -> bytes:
        data = self._bus.recv(size, socket.MSG_WAITALL)
        if len(data) < size:
            raise ConnectionResetError("Odoo has closed a websocket")
        return data

    def _concerns(self, message: bytes) -> bool:
        return self._channel.encode() in message


def main(file: Path) -> None:
    """Open what the file says, and keep it open until this process is terminated."""
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])  # in all threads
    wanted = json.loads(file.read_text())
    clients = [WebClient(wanted["address"]) for _ in range(SESSIONS)]
    for client in clients:
        client.log_in(wanted["database"], wanted["login"], wanted["login"])
    version = client.session_info()["websocket_worker_version"]
    uri = f"{wanted['websocket']}/websocket?version={version}"
    records = [*wanted["records"], *[0] * wanted["lists"]]
    viewers = [Viewer(each, uri, record) for each, record in zip(cycle(clients), records)]
    logging.warning("all views are open")
    signal.sigwait([signal.SIGTERM])
    file.write_text(json.dumps([each for viewer in viewers for each in viewer.shown]))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
