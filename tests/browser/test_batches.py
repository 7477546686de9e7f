"""A batch in the web client: a menu while it runs, one message when it ends."""

from playwright.sync_api import Page, expect

from tests.browser.buttons.every_button import Database
from tests.conftest import Stack
from tests.waiting import wait_until

MENU = ".o_nameko_batches"
LONG = 10**9  # primes up to it take minutes


def later(database: Database, records: list[int]) -> None:
    database.client.click("nameko.compute", "action_compute_later", records)


def test_menu_while_it_runs_and_message_at_the_end(tab: Page, stack: Stack, database: Database):
    tab.goto(f"{stack.odoo_url}/odoo/nameko-batches")
    expect(tab.get_by_text("No batch yet")).to_be_visible()
    expect(tab.locator(MENU)).to_have_count(0)
    records = database.computations(2) + database.computations(
        1, operation="prime_count", value=LONG
    )
    later(database, records)
    expect(tab.locator(MENU)).to_have_text("1")
    tab.locator(MENU).click()
    entry = tab.locator(".o_nameko_batch")
    expect(entry).to_contain_text("Compute Later")
    expect(entry).to_contain_text("2 of 3")
    entry.click()
    expect(tab.locator("[name=done_count]")).to_have_text("2")
    tab.locator("button[name=action_cancel]").click()
    tab.locator(".modal").get_by_role("button", name="Cancel the Batch", exact=True).click()
    message = tab.locator(".o_notification", has_text="Compute Later")
    expect(message).to_contain_text("2 done, 1 cancelled")
    expect(tab.locator(MENU)).to_have_count(0)
    message.get_by_role("button", name="Show").click()
    expect(tab.locator(".o_data_row")).to_have_count(3)


def test_menu_of_a_page_that_is_opened_later(tab: Page, stack: Stack, database: Database):
    database.batch(3, "pending")
    tab.goto(f"{stack.odoo_url}/odoo/nameko-jobs")
    expect(tab.locator(MENU)).to_have_text("1")


def test_idle_page_without_batches_asks_for_nothing(tab: Page, stack: Stack, database: Database):
    asked: list[str] = []
    tab.on("request", lambda request: asked.append(request.url))
    tab.goto(f"{stack.odoo_url}/odoo/computations")
    tab.wait_for_selector(".o_list_view, .o_view_nocontent")
    assert not [url for url in asked if "nameko.batch" in url]


def test_one_message_however_many_fail(tab: Page, stack: Stack, database: Database):
    tab.goto(f"{stack.odoo_url}/odoo/computations")
    tab.wait_for_selector(".o_control_panel")
    later(database, database.computations(30, operation="div", other=0))
    wait_until(lambda: database.states("nameko_batch") == {"failed": 1})
    message = tab.locator(".o_notification", has_text="failed")
    expect(message).to_contain_text("30 failed")
    expect(message).to_have_count(1)
