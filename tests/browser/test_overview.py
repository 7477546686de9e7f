"""The overview follows what the jobs do; what fails is dealt with from there."""

import re

from playwright.sync_api import Locator, Page, expect

from tests.browser.buttons.every_button import Database
from tests.browser.test_live import VIEWERS, later, see_it_idle
from tests.conftest import Stack
from tests.waiting import wait_until


def open_overview(tab: Page, stack: Stack, database: Database) -> None:
    """Open it, and wait until it hears of changes."""
    with tab.expect_response("**/nameko.live/watch"):
        tab.goto(f"{stack.odoo_url}/odoo/nameko-overview")
    tab.wait_for_selector(".o_nameko_overview")
    wait_until(lambda: database.sql(VIEWERS) != [(0,)], what="the websocket")


def tile(tab: Page, name: str) -> Locator:
    return tab.locator(f"[data-tile={name}] .fs-2")


def test_numbers_follow(tab: Page, stack: Stack, database: Database):
    open_overview(tab, stack, database)
    for record in database.computations(3):
        later(database, record)
    expect(tile(tab, "done")).to_have_text("3")
    database.jobs(2, "pending")
    expect(tile(tab, "waiting")).to_have_text("2")
    row = tab.locator(".o_nameko_services tbody tr", has_text="compute").first
    expect(row).to_contain_text("1 up")
    row.get_by_role("button", name="2", exact=True).click()
    expect(tab.locator(".o_data_row")).to_have_count(2)


def test_numbers_lead_to_their_jobs(tab: Page, stack: Stack, database: Database):
    database.jobs(2, "pending")
    database.jobs(3, "sent")
    open_overview(tab, stack, database)
    for name, count in (("waiting", 2), ("running", 3)):
        expect(tile(tab, name)).to_have_text(str(count))
        tab.locator(f"[data-tile={name}]").click()
        expect(tab.locator(".o_data_row")).to_have_count(count)
        tab.locator(".o_breadcrumb").get_by_text("Overview").click()


def test_it_scrolls(tab: Page, stack: Stack, database: Database):
    database.jobs(1, "pending")
    for size in ({"width": 1280, "height": 500}, {"width": 380, "height": 700}):
        tab.set_viewport_size(size)
        open_overview(tab, stack, database)
        last = tab.locator(".o_nameko_services tbody tr").last
        expect(last).not_to_be_in_viewport()
        tab.locator(".o_nameko_lights").hover()
        tab.mouse.wheel(0, 10_000)
        expect(last).to_be_in_viewport()


def test_lights(tab: Page, stack: Stack, database: Database):
    open_overview(tab, stack, database)
    for key, text in (
        ("broker", "Message broker: connected"),
        ("relay", "Relays: 1 running"),
        ("fallback", "Replacement for the relay: ready"),
    ):
        light = tab.locator(f"[data-light={key}][data-level=good]")
        expect(light).to_contain_text(text)
        expect(light.get_by_role("img", name="Good")).to_be_visible()


def test_what_fails_is_retried(tab: Page, stack: Stack, database: Database):
    open_overview(tab, stack, database)
    database.failures(3)
    group = tab.locator(".o_nameko_failures li", has_text="No price for …")
    expect(group).to_contain_text(re.compile(r"compute\.compute.*Failed jobs: 3"))
    group.get_by_role("button", name="Retry All").click()
    expect(tab.locator(".o_notification", has_text="3 jobs will run again.")).to_be_visible()
    expect(group).to_have_count(0)
    expect(tile(tab, "done")).to_have_text("3")


def test_what_fails_is_ignored(tab: Page, stack: Stack, database: Database):
    database.failures(3)
    open_overview(tab, stack, database)
    group = tab.locator(".o_nameko_failures li", has_text="No price for …")
    group.get_by_role("button", name="Ignore").click()
    expect(group).to_have_count(0)
    tab.get_by_role("button", name="All Failures").click()
    expect(tab.locator(".o_list_view")).to_be_visible()


def test_an_idle_overview_asks_for_nothing(tab: Page, stack: Stack, database: Database):
    database.jobs(1, "pending")
    tab.clock.install()
    open_overview(tab, stack, database)
    expect(tile(tab, "waiting")).to_have_text("1")
    see_it_idle(tab)
