"""Each button of the addon is pressed, in lists on 500 records at once, and keeps its word."""

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.every_button import MANY, Database, Key, buttons
from tests.browser.screenshot_catalogue import open_settings
from tests.conftest import Stack
from tests.waiting import wait_until

PATIENCE = 60_000  # ms for what 500 records need, on a machine that does other things too


@pytest.fixture
def database(stack: Stack) -> Iterator[Database]:
    """The stack's database without computations and jobs."""
    database = Database(stack.database, stack.web_client())
    database.empty()
    yield database
    database.empty()


class Presser:
    """A person at the web client."""

    def __init__(self, page: Page, database: Database, address: str) -> None:
        self.page, self.database, self.address = page, database, address

    def open(self, path: str) -> None:
        self.page.goto(f"{self.address}/odoo/{path}")
        self.page.wait_for_selector(".o_form_view, .o_list_view")

    def press(self, name: str) -> None:
        self.page.locator(f"button[name='{name}']").first.click()

    def dialog(self, label: str) -> None:
        self.page.locator(".modal").get_by_role("button", name=label, exact=True).click()

    def select_all(self, path: str) -> None:
        self.open(path)
        self.page.locator("thead .o_list_record_selector input").check()
        self.page.locator(".o_select_domain").click()
        expect(self.page.locator(".o_selection_box")).to_contain_text(str(MANY))

    def choose(self, item: str) -> None:
        self.page.locator(".o_cp_action_menus button", has_text="Actions").click()
        self.page.locator(".o-dropdown--menu").get_by_text(item, exact=True).click()

    def told(self, *texts: str) -> None:
        for text in texts:
            expect(self.page.locator(".o_notification")).to_contain_text(text, timeout=PATIENCE)

    def shows_state(self, label: str) -> None:
        current = self.page.locator(".o_statusbar_status .o_arrow_button_current")
        expect(current).to_have_text(label, timeout=PATIENCE)

    # Computations

    def computation(self, **values: object) -> None:
        (record,) = self.database.computations(1, **values)
        self.open(f"computations/{record}")

    def form_sum(self) -> None:
        self.computation(operation="div", value=10, other=5)
        expect(self.page.locator("button[name=action_compute]")).to_be_visible()
        expect(self.page.locator("button[name=action_suma]")).to_be_hidden()
        self.computation()
        self.press("action_suma")
        expect(self.page.locator("[name=result]")).to_have_text("3")
        self.page.fill("[name=value] input", "50")
        self.page.click(".o_form_button_save")
        self.shows_state("Draft")
        expect(self.page.locator("[name=result]")).to_be_hidden()

    def form_compute(self) -> None:
        self.computation(operation="div", value=10, other=5)
        self.press("action_compute")
        expect(self.page.locator("[name=result]")).to_have_text("2")

    def form_later(self) -> None:
        self.computation()
        self.press("action_compute_later")
        expect(self.page.locator("[name=result]")).to_have_text("3", timeout=PATIENCE)

    def form_jobs(self) -> None:
        self.form_later()
        self.press("action_nameko_jobs")
        expect(self.page.locator(".o_list_view .o_data_row")).to_have_count(1, timeout=PATIENCE)

    def list_sum(self) -> None:
        self.database.computations(MANY - 100)
        self.database.computations(100, operation="div")
        self.select_all("computations")
        self.press("action_suma")
        self.told("400 computed, 0 failed", "100 skipped: The operation is not “Sum”")
        assert self.database.states("nameko_compute") == {"done": 400, "draft": 100}

    def menu_sum(self) -> None:
        self.database.computations(MANY)
        self.select_all("computations")
        self.choose("Sum")
        self.told("500 computed, 0 failed")

    def list_compute(self) -> None:
        self.many_computed(lambda: self.press("action_compute"))

    def menu_compute(self) -> None:
        self.many_computed(lambda: self.choose("Compute"))

    def many_computed(self, press: Callable[[], None]) -> None:
        self.database.computations(MANY - 1, operation="mul")
        self.database.computations(1, operation="div", other=0)
        self.select_all("computations")
        press()
        self.told("499 computed, 1 failed")

    def menu_later(self) -> None:
        self.database.computations(MANY)
        self.select_all("computations")
        self.choose("Compute Later")
        self.told("500 queued")
        wait_until(lambda: self.database.states("nameko_compute") == {"done": MANY})
        assert self.database.states("nameko_job") == {"done": MANY}

    # Jobs

    def job(self, state: str, result: str | None = None) -> None:
        (job,) = self.database.jobs(1, state, result=result)
        self.open(f"nameko-jobs/{job}")

    def all_jobs(self, state: str, result: str | None = None) -> None:
        self.database.jobs(MANY, state, result=result)
        self.select_all("nameko-jobs")

    def form_retry(self) -> None:
        self.job("failed")
        self.press("action_retry")
        self.told("1 job will run again.")
        wait_until(lambda: self.database.states("nameko_compute") == {"done": 1})

    def menu_retry(self) -> None:
        self.all_jobs("failed")
        self.choose("Retry")
        self.told("500 jobs will run again.")
        wait_until(lambda: self.database.states("nameko_compute") == {"done": MANY})
        assert self.database.states("nameko_job") == {"done": MANY}

    def form_apply(self) -> None:
        self.job("failed", "3")
        self.press("action_apply_again")
        self.told("1 results written.")
        self.shows_state("Done")

    def menu_apply(self) -> None:
        self.all_jobs("failed", "3")
        self.choose("Write Result Again")
        self.told("500 results written.")
        assert self.database.states("nameko_compute") == {"done": MANY}

    def form_cancel(self) -> None:
        self.job("pending")
        self.press("action_cancel")
        self.dialog("Cancel the Job")
        self.told("1 cancelled.")

    def list_cancel(self) -> None:
        self.all_jobs("pending")
        self.press("action_cancel")
        self.dialog("Cancel the Jobs")
        self.told("500 cancelled.")
        assert self.database.states("nameko_job") == {"cancelled": MANY}
        assert self.database.states("nameko_compute") == {"failed": MANY}

    def form_open_record(self) -> None:
        self.job("pending")
        self.press("action_open_record")
        expect(self.page.locator("h1 [name=name] input")).to_have_value("Pressed")

    def form_reschedule(self) -> None:
        self.job("pending")
        self.page.get_by_role("button", name="Reschedule").click()
        self.rescheduled(1)

    def menu_reschedule(self) -> None:
        self.all_jobs("pending")
        self.choose("Reschedule")
        self.rescheduled(MANY)

    def rescheduled(self, count: int) -> None:
        self.page.locator(".modal [name=priority] input").fill("3")
        self.dialog("Reschedule")
        self.told(f"{count} rescheduled.")
        expect(self.page.locator(".modal")).to_have_count(0)
        wait_until(lambda: self.database.states("nameko_job") == {"done": count})

    def reschedule_discard(self) -> None:
        self.job("pending")
        self.page.get_by_role("button", name="Reschedule").click()
        self.dialog("Discard")
        expect(self.page.locator(".modal")).to_have_count(0)
        assert self.database.states("nameko_job") == {"pending": 1}

    # Actions, services, settings

    def action(self) -> None:
        self.database.computations(1)
        self.open(f"nameko-actions/{self.database.server_action()}")

    def action_try(self) -> None:
        self.action()
        self.press("action_nameko_try")
        expect(self.page.locator(".modal [name=action_id]")).to_be_visible()

    def trial_try(self) -> None:
        self.action_try()
        self.page.locator(".modal button[name=action_try]").click()
        expect(self.page.locator(".modal [name=answer]")).to_have_text("2")

    def trial_close(self) -> None:
        self.action_try()
        self.page.locator(".modal footer").get_by_role("button", name="Close").click()
        expect(self.page.locator(".modal")).to_have_count(0)

    def add_to_menu(self) -> None:
        self.action()
        self.press("create_action")
        expect(self.page.locator("button[name=unlink_action]")).to_be_visible()

    def remove_from_menu(self) -> None:
        self.add_to_menu()
        self.press("unlink_action")
        expect(self.page.locator("button[name=create_action]")).to_be_visible()

    def refresh_queue(self) -> None:
        find = self.database.client.call
        service = wait_until(lambda: find("nameko.service", "search", [["name", "=", "compute"]]))
        self.open(f"nameko-services/{service[0]}")
        self.press("action_refresh_queue")
        expect(self.page.locator("[name=queue_consumers]")).to_have_text(re.compile("[1-9]"))

    def connection(self) -> None:
        open_settings(self.page)
        self.press("action_nameko_test_connection")
        self.told("It works")


PRESSES: dict[Key, Callable[[Presser], None]] = {
    ("nameko.compute", "form", "action_suma"): Presser.form_sum,
    ("nameko.compute", "form", "action_compute"): Presser.form_compute,
    ("nameko.compute", "form", "action_compute_later"): Presser.form_later,
    ("nameko.compute", "form", "action_nameko_jobs"): Presser.form_jobs,
    ("nameko.compute", "list", "action_suma"): Presser.list_sum,
    ("nameko.compute", "list", "action_compute"): Presser.list_compute,
    ("nameko.compute", "menu", "nameko_compute_server_action_suma"): Presser.menu_sum,
    ("nameko.compute", "menu", "nameko_compute_server_action_compute"): Presser.menu_compute,
    ("nameko.compute", "menu", "nameko_compute_server_action_later"): Presser.menu_later,
    ("nameko.job", "form", "action_retry"): Presser.form_retry,
    ("nameko.job", "form", "action_apply_again"): Presser.form_apply,
    ("nameko.job", "form", "action_cancel"): Presser.form_cancel,
    ("nameko.job", "form", "action_open_record"): Presser.form_open_record,
    ("nameko.job", "list", "action_cancel"): Presser.list_cancel,
    ("nameko.job", "form", "nameko_job_reschedule_action"): Presser.form_reschedule,
    ("nameko.job", "menu", "nameko_job_server_action_retry"): Presser.menu_retry,
    ("nameko.job", "menu", "nameko_job_server_action_apply"): Presser.menu_apply,
    ("nameko.job", "menu", "nameko_job_reschedule_action"): Presser.menu_reschedule,
    ("nameko.job.reschedule", "form", "action_reschedule"): Presser.form_reschedule,
    ("nameko.job.reschedule", "form", "cancel"): Presser.reschedule_discard,
    ("ir.actions.server", "form", "action_nameko_try"): Presser.action_try,
    ("ir.actions.server", "form", "create_action"): Presser.add_to_menu,
    ("ir.actions.server", "form", "unlink_action"): Presser.remove_from_menu,
    ("nameko.action.trial", "form", "action_try"): Presser.trial_try,
    ("nameko.action.trial", "form", "cancel"): Presser.trial_close,
    ("nameko.service", "form", "action_refresh_queue"): Presser.refresh_queue,
    ("res.config.settings", "form", "action_nameko_test_connection"): Presser.connection,
}


# Shown only while the database asks, when nothing else works: test_moved_database.py presses them.
ASKING = {
    ("res.config.settings", "form", "action_nameko_moved"),
    ("res.config.settings", "form", "action_nameko_copy"),
}


def test_every_button_is_pressed_below(database: Database):
    assert buttons(database) == PRESSES.keys() | ASKING


@pytest.mark.parametrize("key", PRESSES, ids="-".join)
def test_button(key: Key, tab: Page, database: Database, stack: Stack):
    PRESSES[key](Presser(tab, database, stack.odoo_url))
    expect(tab.locator(".o_error_dialog")).to_have_count(0)
