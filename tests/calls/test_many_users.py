"""Many people press buttons at once, on threads and on processes."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from stack.web import OdooRefused, WebClient

USERS = 8
ON_THE_SAME = 3  # Odoo repeats a conflicting request up to five times
CLICKS = 25


def together(
    client_of: Callable[[], WebClient], work: Callable[[WebClient, int], object], users: int = USERS
) -> list:
    """Have so many users, each with a session, do the same at the same time."""
    clients = [client_of() for _ in range(users)]
    with ThreadPoolExecutor(users) as threads:
        return list(threads.map(work, clients, range(users)))


def test_each_user_gets_the_own_sums(server):
    def work(client: WebClient, user: int) -> None:
        for number in range(CLICKS):
            values = {"name": "Many", "value": 1000 * user, "other": number}
            record = client.save("nameko.compute", values, ["id"])["id"]
            client.click("nameko.compute", "action_suma", [record])
            (read,) = client.call("nameko.compute", "read", [record], ["result"])
            assert read["result"] == 1000 * user + number

    together(server.web_client, work)


def test_double_clicks_and_two_users_on_the_same_record_do_no_harm(server):
    client = server.web_client()
    values = {"name": "Same", "value": 40, "other": 2}
    record = client.save("nameko.compute", values, ["id"])["id"]

    def work(client: WebClient, _user: int) -> None:
        with suppress(OdooRefused):  # another one computes it at this moment
            client.click("nameko.compute", "action_suma", [record])

    together(server.web_client, work, ON_THE_SAME)
    (read,) = client.call("nameko.compute", "read", [record], ["result", "state"])
    assert (read["result"], read["state"]) == (42, "done")


def test_a_selection_of_ten_thousand(server):
    client = server.web_client()
    values = [{"name": "Selected", "value": number, "other": 1} for number in range(10_000)]
    ids = client.call("nameko.compute", "create", values)
    action = client.click("nameko.compute", "action_suma", ids)
    assert action["params"]["message"] == "10000 computed, 0 failed"
    records = client.call("nameko.compute", "read", ids, ["value", "result"])
    assert len(records) == len(ids)
    assert all(record["result"] == record["value"] + 1 for record in records)
    client.call("nameko.compute", "unlink", ids)
