"""The tests of the web client's parts, by Odoo's own runner: `static/tests` of the connector."""

import re

from playwright.sync_api import ConsoleMessage, Page

from tests.conftest import Stack

TESTS = "/web/tests?headless&loglevel=2&preset=desktop&timeout=60000&filter=@nameko_connector"
TIMEOUT = 600_000  # ms; the first time, Odoo puts its tests together
END = re.compile(r"\[HOOT\] (Passed|Failed) (\d+) tests?|Test suite succeeded")


def test_components(page: Page, stack: Stack):
    said: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        said.append(message.text)

    page.on("console", hear)
    with page.expect_console_message(lambda m: bool(END.search(m.text)), timeout=TIMEOUT):
        page.goto(f"{stack.odoo_url}{TESTS}")
    log = "\n".join(said)
    assert "Failed" not in log, log
    for tests in ("overview", "workflow"):
        assert re.search(rf"@nameko_connector/{tests}/.* passed", log), log
