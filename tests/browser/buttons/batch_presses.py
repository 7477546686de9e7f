"""Presses of the buttons of batches and of groups of failures."""

from playwright.sync_api import expect

from tests.browser.buttons.every_button import MANY
from tests.browser.buttons.job_presses import JobPresses
from tests.waiting import wait_until


class BatchPresses(JobPresses):
    """On batches."""

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


class FailurePresses(JobPresses):
    """On groups of failures."""

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
        self.press("action_stop_ignoring")
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
        expect(self.page.locator(".o_data_row")).to_have_count(0)
