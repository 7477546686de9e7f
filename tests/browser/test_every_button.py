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
            told = self.page.locator(".o_notification", has_text=text)
            expect(told.first).to_be_visible(timeout=PATIENCE)

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

    def other_arguments(self) -> None:
        self.job("failed")
        self.page.get_by_role("button", name="Retry with Other Arguments").click()
        self.page.locator(".modal [name=positional] textarea").fill('["sum", 40, 2, null]')

    def form_retry_with_others(self) -> None:
        self.other_arguments()
        self.dialog("Retry")
        self.told("1 job will run again.")
        expect(self.page.locator(".modal")).to_have_count(0)
        self.shows_state("Done")
        expect(self.page.locator("[name=shown_result] pre")).to_have_text("42")

    def retry_discard(self) -> None:
        self.other_arguments()
        self.dialog("Discard")
        expect(self.page.locator(".modal")).to_have_count(0)
        assert self.database.states("nameko_job") == {"failed": 1}

    # Batches

    def form_batch_retry(self) -> None:
        self.open(f"nameko-batches/{self.database.batch(3, 'failed')}")
        self.press("action_retry")
        self.told("3 jobs will run again.")
        self.shows_state("Done")

    def form_batch_cancel(self) -> None:
        self.open(f"nameko-batches/{self.database.batch(3, 'pending')}")
        self.press("action_cancel")
        self.dialog("Cancel the Batch")
        self.told("3 cancelled.")
        self.shows_state("Cancelled")

    def form_batch_jobs(self) -> None:
        self.open(f"nameko-batches/{self.database.batch(3, 'done')}")
        self.press("action_show_jobs")
        expect(self.page.locator(".o_data_row")).to_have_count(3)

    def list_batch_retry(self) -> None:
        self.all_batches("failed")
        self.press("action_retry")
        self.told(f"{MANY} jobs will run again.")
        wait_until(lambda: self.database.states("nameko_batch") == {"done": 5})

    def list_batch_cancel(self) -> None:
        self.all_batches("pending")
        self.press("action_cancel")
        self.dialog("Cancel the Batches")
        self.told(f"{MANY} cancelled.")
        wait_until(lambda: self.database.states("nameko_batch") == {"cancelled": 5})

    def all_batches(self, state: str) -> None:
        """Select five batches with as many jobs as are selected elsewhere."""
        for _ in range(5):
            self.database.batch(MANY // 5, state)
        self.open("nameko-batches")
        self.page.locator("thead .o_list_record_selector input").check()

    def record_cancel(self) -> None:
        self.job("pending")
        (record,) = self.database.sql("SELECT id FROM nameko_compute")
        self.open(f"computations/{record[0]}")
        expect(self.page.locator("[name=nameko_job_outlook]")).to_contain_text("(attempt 2 of 3)")
        self.press("action_nameko_cancel")
        self.told("1 cancelled.")
        self.shows_state("Failed")

    # Groups of failures

    def failures(self) -> None:
        self.open(f"nameko-failures/{self.database.failures(3)}")

    def form_failures_retry(self) -> None:
        self.failures()
        self.press("action_retry")
        self.told("3 jobs will run again.")
        wait_until(lambda: self.database.states("nameko_job") == {"done": 3})

    def form_failures_cancel(self) -> None:
        self.failures()
        self.press("action_cancel")
        self.dialog("Cancel the Jobs")
        self.told("3 cancelled.")
        assert self.database.states("nameko_job") == {"cancelled": 3}

    def form_failures_ignore(self) -> None:
        self.failures()
        self.press("action_ignore")
        self.told("New failures of this kind are hidden, too.")
        expect(self.page.get_by_text("Ignored", exact=True)).to_be_visible()

    def form_failures_heed(self) -> None:
        self.form_failures_ignore()
        self.press("action_heed")
        expect(self.page.get_by_text("Ignored", exact=True)).to_have_count(0)

    def form_failures_jobs(self) -> None:
        self.failures()
        self.press("action_show_jobs")
        expect(self.page.locator(".o_list_view .o_data_row")).to_have_count(3)

    def all_failures(self) -> None:
        self.database.failures(MANY)
        self.open("nameko-failures")
        self.page.locator("thead .o_list_record_selector input").check()

    def list_failures_retry(self) -> None:
        self.all_failures()
        self.press("action_retry")
        self.told("500 jobs will run again.")
        wait_until(lambda: self.database.states("nameko_job") == {"done": MANY})

    def list_failures_ignore(self) -> None:
        self.all_failures()
        self.press("action_ignore")
        expect(self.page.locator(".o_data_row")).to_have_count(0, timeout=PATIENCE)

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

    def service(self) -> None:
        find = self.database.client.call
        service = wait_until(lambda: find("nameko.service", "search", [["name", "=", "compute"]]))
        self.open(f"nameko-services/{service[0]}")

    def refresh_queue(self) -> None:
        self.service()
        self.press("action_refresh_queue")
        expect(self.page.locator("[name=queue_consumers]")).to_have_text(re.compile("[1-9]"))

    def service_jobs(self) -> None:
        self.database.jobs(2, "done")
        self.service()
        self.press("action_show_jobs")
        expect(self.page.locator(".o_list_view .o_data_row")).to_have_count(2)

    # Dead letters

    def letters(self, count: int = 1) -> None:
        self.database.dead_letters(count)
        self.service()
        self.press("action_dead_letters")
        expect(self.page.locator(".o_data_row")).to_have_count(min(count, 80))

    def letter(self) -> None:
        self.letters()
        self.page.locator(".o_data_row .o_data_cell").nth(2).click()
        expect(self.page.locator("[name=body]")).to_contain_text('"args"')

    def no_letters_are_left(self) -> None:
        self.service()
        self.press("action_dead_letters")
        expect(self.page.get_by_text("No dead letters")).to_be_visible()

    def letter_send(self) -> None:
        self.letter()
        self.press("action_send_again")
        self.told("1 sent again.")
        self.no_letters_are_left()

    def letter_drop(self) -> None:
        self.letter()
        self.press("action_drop")
        self.dialog("Drop")
        self.told("1 dropped.")
        self.no_letters_are_left()

    def letters_send(self) -> None:
        self.letters(MANY)
        self.all_letters()
        self.press("action_send_again")
        self.told(f"{MANY} sent again.")
        self.no_letters_are_left()

    def letters_drop(self) -> None:
        self.letters(MANY)
        self.all_letters()
        self.press("action_drop")
        self.dialog("Drop")
        self.told(f"{MANY} dropped.")
        self.no_letters_are_left()

    def all_letters(self) -> None:
        self.page.locator("thead .o_list_record_selector input").check()
        self.page.locator(".o_select_domain").click()

    def service_method(self, button: str) -> None:
        self.service()
        row = self.page.locator("[name=method_ids] .o_data_row", has_text="value1")
        row.locator(f"button[name={button}]").click()

    def service_try(self) -> None:
        self.service_method("action_try")
        self.method_tried()

    def service_make_action(self) -> None:
        self.service_method("action_make_action")
        self.action_begun()

    def method(self) -> None:
        domain = [["service", "=", "compute"], ["name", "=", "method"]]
        (method,) = self.database.client.call("nameko.method", "search", domain)
        self.page.goto(f"{self.address}/odoo/nameko.method/{method}")

    def method_try(self) -> None:
        self.method()
        self.press("action_try")
        self.method_tried()

    def method_make_action(self) -> None:
        self.method()
        self.press("action_make_action")
        self.action_begun()

    def method_tried(self) -> None:
        self.page.fill(".modal [name=named] textarea", '{"value1": 40, "value2": 2}')
        self.page.locator(".modal button[name=action_try]").click()
        answer = self.page.locator(".modal [name=answer]")
        expect(answer).to_have_text("42", timeout=PATIENCE)

    def method_close(self) -> None:
        self.service_method("action_try")
        self.page.locator(".modal footer").get_by_role("button", name="Close").click()
        expect(self.page.locator(".modal")).to_have_count(0)

    def action_begun(self) -> None:
        method = self.page.locator("[name=nameko_method_id] input")
        expect(method).to_have_value("compute.method")
        rows = self.page.locator("[name=nameko_parameter_ids] .o_data_row")
        expect(rows).to_have_count(2)

    def connection(self) -> None:
        open_settings(self.page)
        self.press("action_nameko_test_connection")
        self.told("It works")


PRESSES: dict[Key, Callable[[Presser], None]] = {
    ("nameko.compute", "form", "action_suma"): Presser.form_sum,
    ("nameko.compute", "form", "action_compute"): Presser.form_compute,
    ("nameko.compute", "form", "action_compute_later"): Presser.form_later,
    ("nameko.compute", "form", "action_nameko_jobs"): Presser.form_jobs,
    ("nameko.compute", "form", "action_nameko_cancel"): Presser.record_cancel,
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
    ("nameko.job", "form", "nameko_job_retry_action"): Presser.form_retry_with_others,
    ("nameko.job.retry", "form", "action_retry"): Presser.form_retry_with_others,
    ("nameko.job.retry", "form", "cancel"): Presser.retry_discard,
    ("nameko.batch", "form", "action_retry"): Presser.form_batch_retry,
    ("nameko.batch", "form", "action_cancel"): Presser.form_batch_cancel,
    ("nameko.batch", "form", "action_show_jobs"): Presser.form_batch_jobs,
    ("nameko.batch", "list", "action_retry"): Presser.list_batch_retry,
    ("nameko.batch", "list", "action_cancel"): Presser.list_batch_cancel,
    ("nameko.failure", "form", "action_retry"): Presser.form_failures_retry,
    ("nameko.failure", "form", "action_cancel"): Presser.form_failures_cancel,
    ("nameko.failure", "form", "action_ignore"): Presser.form_failures_ignore,
    ("nameko.failure", "form", "action_heed"): Presser.form_failures_heed,
    ("nameko.failure", "form", "action_show_jobs"): Presser.form_failures_jobs,
    ("nameko.failure", "list", "action_retry"): Presser.list_failures_retry,
    ("nameko.failure", "list", "action_ignore"): Presser.list_failures_ignore,
    ("nameko.job.reschedule", "form", "action_reschedule"): Presser.form_reschedule,
    ("nameko.job.reschedule", "form", "cancel"): Presser.reschedule_discard,
    ("ir.actions.server", "form", "action_nameko_try"): Presser.action_try,
    ("ir.actions.server", "form", "create_action"): Presser.add_to_menu,
    ("ir.actions.server", "form", "unlink_action"): Presser.remove_from_menu,
    ("nameko.action.trial", "form", "action_try"): Presser.trial_try,
    ("nameko.action.trial", "form", "cancel"): Presser.trial_close,
    ("nameko.service", "form", "action_refresh_queue"): Presser.refresh_queue,
    ("nameko.service", "form", "action_show_jobs"): Presser.service_jobs,
    ("nameko.service", "form", "action_dead_letters"): Presser.letters,
    ("nameko.dead.letter", "form", "action_send_again"): Presser.letter_send,
    ("nameko.dead.letter", "form", "action_drop"): Presser.letter_drop,
    ("nameko.dead.letter", "list", "action_send_again"): Presser.letters_send,
    ("nameko.dead.letter", "list", "action_drop"): Presser.letters_drop,
    ("nameko.service", "form", "action_try"): Presser.service_try,
    ("nameko.service", "form", "action_make_action"): Presser.service_make_action,
    ("nameko.method", "form", "action_try"): Presser.method_try,
    ("nameko.method", "form", "action_make_action"): Presser.method_make_action,
    ("nameko.method.trial", "form", "action_try"): Presser.service_try,
    ("nameko.method.trial", "form", "cancel"): Presser.method_close,
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
