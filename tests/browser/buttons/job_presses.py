"""Presses of the buttons of computations, jobs, batches and failures."""

from collections.abc import Callable

from playwright.sync_api import expect

from tests.browser.buttons.every_button import MANY
from tests.browser.buttons.person import Person
from tests.waiting import wait_until


class ComputationPresses(Person):
    """On computations, now and later."""

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
        expect(self.page.locator("[name=result]")).to_have_text("3")

    def form_jobs(self) -> None:
        self.form_later()
        self.press("action_nameko_jobs")
        expect(self.page.locator(".o_list_view .o_data_row")).to_have_count(1)

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


class JobPresses(Person):
    """On jobs."""

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
