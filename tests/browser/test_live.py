"""Open views show what jobs change, without a request of their own, and lose nothing typed."""

import pytest
from playwright.sync_api import Page, Request, Route, expect

from tests.browser.buttons.every_button import Database
from tests.conftest import Stack
from tests.waiting import wait_until

SECONDS = 1000  # ms
VIEWERS = "SELECT count(*) FROM nameko_live_viewer"


def open_live(tab: Page, database: Database, address: str) -> None:
    """Open a view, and wait until it hears of changes."""
    with tab.expect_response("**/nameko.live/watch"):
        tab.goto(address)
    wait_until(lambda: database.sql(VIEWERS) != [(0,)], what="the websocket")


def hold(tab: Page, address: str) -> list[Route]:
    """Hold the next request to an address; it is in the list when it has come."""
    held: list[Route] = []

    def keep(route: Route) -> None:
        held.append(route)

    tab.route(address, keep, times=1)
    return held


def see_it_idle(tab: Page) -> None:
    """See that an open page asks for nothing, over a minute of its own clock."""
    asked: list[str] = []

    def note(request: Request) -> None:
        asked.append(request.url)

    def is_idle() -> bool:
        asked.clear()
        tab.clock.run_for(60 * SECONDS)
        tab.evaluate("fetch('/web/health')")  # what the page asked for before is noted then
        return [url for url in asked if "/web/health" not in url] == []

    tab.on("request", note)
    wait_until(is_idle)  # a view is read again once, when it begins to listen
    assert is_idle()


def later(database: Database, record_id: int) -> None:
    database.client.click("nameko.compute", "action_compute_later", [record_id])


def test_form_shows_the_result_of_a_job(tab: Page, stack: Stack, database: Database):
    (record,) = database.computations(1)
    open_live(tab, database, f"{stack.odoo_url}/odoo/computations/{record}")
    later(database, record)
    expect(tab.locator("[name=result]")).to_have_text("3")


@pytest.mark.parametrize(("view", "row"), [("list", ".o_data_row"), ("kanban", ".o_kanban_record")])
def test_new_jobs_and_how_they_end(
    tab: Page, stack: Stack, database: Database, view: str, row: str
):
    open_live(tab, database, f"{stack.odoo_url}/odoo/nameko-jobs?view_type={view}")
    for record in database.computations(3):
        later(database, record)
    done = tab.locator(row, has_text="Done")
    expect(done).to_have_count(3)


def test_what_is_being_typed_stays(tab: Page, stack: Stack, database: Database):
    (record,) = database.computations(1)
    open_live(tab, database, f"{stack.odoo_url}/odoo/computations/{record}")
    tab.fill("[name=name] input", "What I type")
    later(database, record)
    wait_until(lambda: database.states("nameko_compute") == {"done": 1})
    other = database.computations(1)[0]  # a change after which this form has heard of the first
    later(database, other)
    wait_until(lambda: database.states("nameko_compute") == {"done": 2})
    expect(tab.locator("[name=name] input")).to_have_value("What I type")
    tab.locator(".o_form_button_cancel").click()
    expect(tab.locator("[name=result]")).to_have_text("3")


def test_changes_while_a_view_begins_to_listen(tab: Page, stack: Stack, database: Database):
    (record,) = database.computations(1)
    held = hold(tab, "**/nameko.live/watch")
    tab.goto(f"{stack.odoo_url}/odoo/computations/{record}")
    tab.wait_for_selector(".o_form_view")
    wait_until(lambda: tab.evaluate("1") and held, what="the question for channels")
    later(database, record)
    wait_until(lambda: database.states("nameko_compute") == {"done": 1})
    held[0].continue_()
    expect(tab.locator("[name=result]")).to_have_text("3")


def test_a_row_that_is_selected_while_the_list_reloads(tab: Page, stack: Stack, database: Database):
    first, _ = database.jobs(2, "pending")
    open_live(tab, database, f"{stack.odoo_url}/odoo/nameko-jobs?view_type=list")
    expect(tab.locator(".o_data_row")).to_have_count(2)
    held = hold(tab, "**/nameko.job/web_search_read")
    database.client.click("nameko.job", "action_cancel", [first])
    wait_until(lambda: tab.evaluate("1") and held, what="the reload")
    tab.locator(".o_data_row input[type=checkbox]").first.check()
    held[0].continue_()
    expect(tab.locator(".o_data_row", has_text="Cancelled")).to_be_visible()
    expect(tab.locator(".o_selection_box")).to_contain_text("1 selected")


def test_filtered_and_folded_lists_follow(tab: Page, stack: Stack, database: Database):
    """A record that comes into a filter or a folded group is not among those that are shown."""
    database.jobs(2, "pending")
    open_live(tab, database, f"{stack.odoo_url}/odoo/nameko-jobs?view_type=list")
    tab.locator(".o_searchview_dropdown_toggler").click()
    tab.locator(".o-dropdown--menu").get_by_role("menuitemcheckbox", name="State").click()
    expect(tab.locator(".o_group_header", has_text="Waiting (2)")).to_be_visible()
    for job in database.client.call("nameko.job", "search", [["state", "=", "pending"]]):
        database.client.click("nameko.job", "action_cancel", [job])
    expect(tab.locator(".o_group_header", has_text="Cancelled (2)")).to_be_visible()


def test_queued_is_shown_while_no_service_answers(tab: Page, stack: Stack, database: Database):
    (record,) = database.computations(1, operation="prime_count", value=10**10)
    open_live(tab, database, f"{stack.odoo_url}/odoo/computations/{record}")
    later(database, record)
    state = tab.locator(".o_statusbar_status .o_arrow_button_current")
    expect(state).to_have_text("Queued")
    database.client.click("nameko.compute", "unlink", [record])  # which cancels it


def test_idle_views_ask_for_nothing(tab: Page, stack: Stack, database: Database):
    database.jobs(1, "pending")
    tab.clock.install()
    open_live(tab, database, f"{stack.odoo_url}/odoo/nameko-jobs")
    tab.wait_for_selector(".o_data_row")
    see_it_idle(tab)


def test_nobody_looks_any_more(tab: Page, stack: Stack, database: Database):
    open_live(tab, database, f"{stack.odoo_url}/odoo/nameko-jobs")
    tab.goto("about:blank")
    wait_until(lambda: database.sql(VIEWERS) == [(0,)], what="the end of the websocket")
