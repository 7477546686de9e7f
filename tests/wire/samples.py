"""Messages as the trial's services, relay and clients send them."""

import json


def request(*args: object, **kwargs: object) -> bytes:
    return json.dumps({"args": args, "kwargs": kwargs}).encode()


REQUESTS: dict[str, dict[str, list[bytes]]] = {
    "compute": {
        "method": [request(1, 2), request(value1="1", value2=2.5)],
        "compute": [request("sum", 1, 2), request("div", 1, 0, email="a@example.com")],
        "map": [request("mul", [[1, 2], ["3", 4]])],
        "prime_count": [request(1000), request(limit=1000, job="somebody's")],
    },
    "mail": {
        "send": [request("a@example.com", "sub", "text"), request(["a@example.com"], "s", "c")],
        "dead_letters": [request()],
        "retry_dead": [request("no such mail")],
        "drop_dead": [request("no such mail")],
    },
    "notify": {"send": [request("hello")], "info": [request("hello")], "error": [request("hello")]},
}  # fmt: skip
REPLIES = [
    b'{"result": 3, "error": null}',
    b'{"result": {"a": [1, "b", null]}, "error": null}',
    b'{"result": null, "error": {"exc_type": "ValueError", "exc_path": "builtins.ValueError",'
    b' "exc_args": ["no"], "value": "no"}}',
]
MAIL = json.dumps(
    {
        "id": "5b1e4a2e-0000-4000-8000-000000000000",
        "to": "a@example.com",
        "subject": "insane",
        "contents": "contents",
        "accepted": "2026-01-01T00:00:00+00:00",
        "attempts": 0,
        "error": "",
    }
).encode()
