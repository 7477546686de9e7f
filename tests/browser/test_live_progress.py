"""A progress bar loads its record every second, and stops where it cannot."""

from playwright.sync_api import Page, expect

from tests.browser.every_button import Database
from tests.conftest import Stack

SECONDS = 1000  # ms
PATIENCE = 60 * SECONDS


def test_a_record_that_was_deleted_elsewhere_is_asked_for_once(tab: Page, stack: Stack):
    database = Database(stack.database, stack.web_client())
    database.empty()
    (job,) = database.jobs(1, "pending")
    tab.clock.install()
    tab.goto(f"{stack.odoo_url}/odoo/nameko-jobs/{job}")
    tab.wait_for_selector(".o_progressbar")
    asked: list[str] = []
    tab.on("request", lambda request: asked.append(request.url))
    with tab.expect_response("**/nameko.job/web_read"):
        tab.clock.run_for(2 * SECONDS)
    database.empty()
    tab.clock.run_for(2 * SECONDS)
    expect(tab.locator(".o_notification")).to_have_count(1, timeout=PATIENCE)
    asked.clear()
    tab.clock.run_for(20 * SECONDS)
    tab.evaluate("fetch('/web/health')")  # what the page asked for before has been noted then
    assert not any("web_read" in url for url in asked)
