"""One person acts, another one, who reads Spanish, sees it without a reload."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.buttons.every_button import Database
from tests.browser.odoo_page import log_in
from tests.browser.test_live import VIEWERS
from tests.conftest import Stack
from tests.spanish import speak
from tests.waiting import wait_until

LANGUAGE = "es_ES"
LOGIN = "ana"
MANAGER = "nameko_connector.group_nameko_manager"


@pytest.fixture(scope="module")
def ana(stack: Stack, browser: Browser) -> Iterator[Page]:
    """A manager's page, in Spanish."""
    admin = stack.web_client()
    with speak(admin, LANGUAGE):
        module, name = MANAGER.split(".")
        domain = [["module", "=", module], ["name", "=", name]]
        (data,) = admin.call("ir.model.data", "search_read", domain, ["res_id"])
        values = {"name": "Ana", "login": LOGIN, "password": LOGIN, "lang": LANGUAGE}
        group_ids = [[4, data["res_id"]]]
        (user,) = admin.call("res.users", "create", [{**values, "group_ids": group_ids}])
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    log_in(page, stack.odoo_url, LOGIN, LOGIN)
    yield page
    context.close()
    admin.call("res.users", "write", [user], {"active": False, "login": f"{LOGIN} {user}"})


def look(page: Page, stack: Stack, database: Database, path: str) -> None:
    """Open a view, and wait until it hears of changes."""
    with page.expect_response("**/nameko.live/watch"):
        page.goto(f"{stack.odoo_url}/odoo/{path}")
    wait_until(lambda: page.evaluate("1") and database.sql(VIEWERS) != [(0,)])


def state(page: Page) -> Locator:
    return page.locator(".o_statusbar_status .o_arrow_button_current")


def test_a_job_that_another_one_cancels(ana: Page, tab: Page, stack: Stack, database: Database):
    (job,) = database.jobs(1, "pending")
    look(ana, stack, database, f"nameko-jobs/{job}")
    expect(state(ana)).to_have_text("En espera")
    tab.goto(f"{stack.odoo_url}/odoo/nameko-jobs/{job}")
    tab.click("button[name=action_cancel]")
    tab.locator(".modal").get_by_role("button", name="Cancel the Job", exact=True).click()
    expect(state(ana)).to_have_text("Cancelado")


def test_failures_that_another_one_retries(ana: Page, tab: Page, stack: Stack, database: Database):
    database.failures(3)
    look(ana, stack, database, "nameko-overview")
    group = ana.locator(".o_nameko_failures li", has_text="No price for …")
    expect(group).to_be_visible()
    expect(ana.get_by_role("heading", name="Errores")).to_be_visible()
    tab.goto(f"{stack.odoo_url}/odoo/nameko-overview")
    tab.get_by_role("button", name="Retry All").click()
    expect(group).to_have_count(0)
    done = ana.locator("[data-tile=done] .fs-2")
    expect(done).to_have_text("3")


def test_a_batch_that_another_one_asks_for(ana: Page, tab: Page, stack: Stack, database: Database):
    look(ana, stack, database, "nameko-batches?view_type=list")
    ana.locator(".o_facet_remove").click()  # those of others, too
    expect(ana.locator(".o_facet_remove")).to_have_count(0)
    expect(ana.locator(".o_data_row")).to_have_count(0)
    records = database.computations(3)
    database.client.click("nameko.compute", "action_compute_later", records)
    row = ana.locator(".o_data_row")
    expect(row).to_contain_text("Hecho")
