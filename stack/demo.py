"""The demonstration: a button in Odoo's web interface, whose sum a Nameko service computes."""

import time
from collections.abc import Mapping

from .steps import StackError, say, step
from .web import OdooRefused, WebClient

LOGIN = PASSWORD = "admin"  # noqa: S105  what Odoo gives a new database
OPERANDS = {"value": 99999, "other": 99999}


def press_the_button(environment: Mapping[str, str]) -> None:
    """Log in, create a computation, press its button twice; print the sum and both times."""
    client = WebClient(environment["ODOO_URL"])
    with step("the button"):
        try:
            client.log_in(environment["ODOO_DATABASE"], LOGIN, PASSWORD)
            record = client.save("nameko.compute", {"name": "The demo's sum", **OPERANDS}, ["id"])
            first, next_one = (_click_seconds(client, record["id"]) for _ in range(2))
            fields = ["value", "other", "result"]
            (computation,) = client.call("nameko.compute", "read", [record["id"]], fields)
        except OdooRefused as refusal:
            raise StackError(f"Odoo refused: {refusal}") from refusal
    say("{value:.0f} + {other:.0f} = {result:.0f}".format(**computation))
    next_ms, first_ms = f"{next_one * 1000:.0f} ms", f"{first * 1000:.0f} ms"
    say(f"the click took {next_ms} (the first one, which connects: {first_ms})")


def _click_seconds(client: WebClient, record_id: int) -> float:
    started = time.perf_counter()
    client.click("nameko.compute", "action_suma", [record_id])
    return time.perf_counter() - started
