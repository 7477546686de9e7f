"""Sends random bodies to the REST API: `python -m tests.services.api.trial [BODIES]`.

By default it sends 22,000. No response may be a 5xx, no process may end, and each result must be
right: exact if it is a whole number, else the nearest float.
"""

import json
import sys
import tempfile
from collections import Counter
from fractions import Fraction

import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.processes import running
from tests.services.api.rest_api import KEY, SUM, serving
from tests.services.compute.test_arithmetic import EXACT, cases, is_nearest
from tests.vhosts import new_vhost

BODIES = 22_000
REFUSED = {400, 413, 415, 422}

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=50)
anything = st.recursive(
    scalars, lambda each: st.lists(each, max_size=5) | st.dictionaries(st.text(), each, max_size=5)
)
computable = cases.map(lambda case: dict(zip(("operation", "value", "other"), case, strict=True)))
fields = st.sampled_from([*SUM, "email", "more", "__proto__", ""])
changed = st.builds(lambda body, name, value: body | {name: value}, computable, fields, anything)
lacking = st.builds(
    lambda body, name: {key: body[key] for key in body if key != name}, computable, fields
)
as_json = (computable | computable | changed | lacking | anything).map(
    lambda body: json.dumps(body, default=str).encode()
)
broken = st.builds(lambda body, at, what: body[:at] + what + body[at:], as_json, st.integers(0, 60),
                   st.binary(min_size=1, max_size=4))  # fmt: skip
raw = st.binary(max_size=300)
nested = st.builds(lambda depth, what: what * depth, st.integers(1, 30_000),
                   st.sampled_from([b"[", b'{"value":', b"-", b"1", b" "]))  # fmt: skip
bodies = as_json | as_json | broken | raw | nested


def judge(answer: requests.Response, body: bytes) -> str:
    """Return the status and error of a response; raise AssertionError if it is wrong."""
    content = answer.json()
    if answer.status_code != 200:
        assert answer.status_code in REFUSED, (answer.status_code, content, body)
        assert set(content) == {"error", "message"}
        return f"{answer.status_code} {content['error']}"
    asked = json.loads(body)
    exact = EXACT[asked["operation"]](Fraction(asked["value"]), Fraction(asked["other"]))
    result = content["result"]
    assert exact == result if exact.denominator == 1 else is_nearest(result, exact), (body, result)
    return "200"


def send(url: str, count: int) -> Counter[str]:
    """Send so many bodies; return how often each status and error was answered."""
    became: Counter[str] = Counter()
    session = requests.Session()
    headers = {"X-API-Key": KEY, "Content-Type": "application/json"}

    @given(bodies)
    @settings(max_examples=count, deadline=None, database=None,
              suppress_health_check=list(HealthCheck))  # fmt: skip
    def each(body: bytes) -> None:
        answer = session.post(f"{url}/compute?wait=true", body, headers=headers, timeout=60)
        became[judge(answer, body)] += 1

    each()
    return became


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else BODIES
    with new_vhost() as vhost, tempfile.TemporaryDirectory() as folder:
        environment = {
            "AMQP_URI": vhost.amqp_uri,
            "IDEMPOTENCY_URL": f"sqlite:///{folder}/store",
            "API_KEYS": KEY,
            "API_RATE_LIMIT": "1000000 per minute",
        }
        with running("services", **environment) as process, serving(**environment) as api:
            became = send(api.url, count)
            assert process.is_alive(), "the services' process ended"
            assert api.is_alive(), "the API's process ended"
    for what, number in became.most_common():
        print(f"{number:6} {what}")  # noqa: T201
    print(f"{became.total():6} bodies, none answered with 5xx")  # noqa: T201


if __name__ == "__main__":
    main()
