"""What the REST API answers stands in its OpenAPI document."""

import json
import re
import socket
import subprocess
from http.client import HTTPResponse

import pytest
import requests

from tests.processes import BIN
from tests.services.api.rest_api import KEY

COMPUTE = b"POST /compute?wait=true HTTP/1.1"
JSON = b"\r\nContent-Type: application/json"
PROTOCOL = {
    "no JSON": (422, COMPUTE + JSON, b"{"),
    "deep JSON": (400, COMPUTE + JSON, b"[" * 10_000),
    "text": (415, COMPUTE + b"\r\nContent-Type: text/plain", b"{}"),
    "no type": (415, COMPUTE, b"{}"),
    "too large": (413, COMPUTE + JSON, b" " * 200_000),
    "too large where none is read": (413, b"GET /health HTTP/1.1", b" " * 200_000),
    "unknown path": (404, b"GET /nowhere HTTP/1.1", b""),
    "other method": (405, b"DELETE /compute HTTP/1.1", b""),
    "no method": (405, b"WHAT /health HTTP/1.1", b""),
    "no HTTP": (400, b"what is this", b""),
    "large header": (431, b"GET /health HTTP/1.1\r\nX: " + b"x" * 40_000, b""),
    "odd encoding": (501, COMPUTE + JSON + b"\r\nTransfer-Encoding: gzip", b"{}"),
}


@pytest.fixture(scope="module")
def document(api):
    return requests.get(f"{api.url}/apidocs/openapi.json", timeout=5).json()


@pytest.mark.parametrize("what", PROTOCOL)
def test_every_error_is_a_problem_in_json_that_the_document_knows(api, document, what):
    status, head, body = PROTOCOL[what]
    lines = (head, b"Host: x", f"X-API-Key: {KEY}".encode())
    length = f"Content-Length: {len(body)}\r\n\r\n".encode()
    with socket.create_connection(("127.0.0.1", api.port), 10) as connection:
        connection.sendall(b"\r\n".join((*lines, length)) + body)
        answer = HTTPResponse(connection)
        answer.begin()
        assert answer.status == status
        assert answer.headers.get_content_type() == "application/json"
        assert set(json.loads(answer.read())) == {"error", "message"}
    path = "/health" if b"/health" in head else "/compute"
    (operation,) = document["paths"][path].values()
    assert operation["responses"][str(status)]["content"].keys() == {"application/json"}


@pytest.mark.slow
def test_the_api_is_as_its_document_says(api, tmp_path):
    """At least 1,000 cases: no 5xx, and no answer that the document does not know.

    One check is left out: that whatever fits the document is accepted. A division by zero fits it.
    """
    finished = subprocess.run(
        [
            *(BIN / "schemathesis", "run", f"{api.url}/apidocs/openapi.json", "--no-color"),
            *("--header", f"X-API-Key: {KEY}", "--max-examples", "400", "--workers", "2"),
            *("--phases", "examples,coverage,fuzzing", "--continue-on-failure"),
            *("--exclude-checks", "positive_data_acceptance"),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout
    assert int(re.search(r"(\d+) generated", finished.stdout).group(1)) >= 400
