"""Take the pictures of jobs, batches, failures and the overview: `make screenshot`.

Each is taken wide and, as NAME_phone.png, as on a phone.
"""

import json
import os
import sys
from pathlib import Path

from playwright.sync_api import Browser, Page, ViewportSize, expect

from stack.web import WebClient
from tests.browser.buttons.every_button import Database
from tests.browser.chromium import chromium
from tests.browser.odoo_page import log_in, wait_until_loaded
from tests.waiting import wait_until

WIDE = ViewportSize(width=1280, height=760)
TALL = ViewportSize(width=1280, height=1160)  # for what is long
PHONE = ViewportSize(width=380, height=760)
MANY = 5_000
PRIMES = 10**7  # counting the primes up to it takes some hundredths of a second


class Album:
    """Two browsers side by side, and the folder of their pictures."""

    def __init__(self, browser: Browser, address: str, folder: Path) -> None:
        self._address, self._folder = address, folder
        self.wide = browser.new_page(viewport=WIDE)
        self.phone = browser.new_page(viewport=PHONE, is_mobile=True, has_touch=True)
        for page in (self.wide, self.phone):
            page.emulate_media(reduced_motion="reduce")  # no picture of half a transition
            log_in(page, address)

    def take(
        self, name: str, path: str, shown: str, tab: str = "", wide: ViewportSize = WIDE
    ) -> None:
        """Take a page in both sizes, once `shown` is visible. tab: the label of a form's tab."""
        self.wide.set_viewport_size(wide)
        for page, suffix in ((self.wide, ""), (self.phone, "_phone")):
            page.goto(f"{self._address}/odoo/{path}")
            if tab:
                page.get_by_role("tab", name=tab).click()
                page.locator(shown).first.scroll_into_view_if_needed()
            page.locator(shown).first.wait_for()
            self.keep(page, name + suffix)
        self.wide.set_viewport_size(WIDE)

    def keep(self, page: Page, name: str) -> None:
        """Wait until the page is loaded, and save its screenshot."""
        wait_until_loaded(page)
        page.screenshot(path=self._folder / f"{name}.png")


def main(folder: Path) -> None:
    """Create jobs that run, fail and wait, and save the screenshots."""
    address = os.environ["ODOO_URL"]
    client = WebClient(address)
    client.log_in(os.environ["ODOO_DATABASE"], "admin", "admin")
    database = Database(os.environ["ODOO_DATABASE"], client)
    database.empty()
    database.sql("DELETE FROM nameko_instance WHERE state != 'up'")  # of an earlier stack
    with chromium() as browser:
        album = Album(browser, address, folder)
        failing(album, database)
        job = job_with_attempts(database)
        album.take(
            "job",
            f"nameko-jobs/{job}",
            "[name=attempt_ids] .o_data_row, [name=attempt_ids] .o_kanban_record",
            "Failed Attempts",
            TALL,
        )
        job = linked_jobs(database)
        album.take("workflow", f"nameko-jobs/{job}", ".o_nameko_workflow", "Workflow", TALL)
        album.take("jobs", "nameko-jobs", ".o_data_row, .o_kanban_record")
        running(album, database)
        dead_letters(album, database, address)
    database.dead_letters(0)
    database.empty()


def dead_letters(album: Album, database: Database, address: str) -> None:
    """Take the dead letters of a service."""
    database.dead_letters(3)
    album.wide.goto(f"{address}/odoo/nameko-services")
    album.wide.locator(".o_kanban_record:has-text('compute')").first.click()
    album.wide.locator("button[name=action_dead_letters]").click()
    expect(album.wide.locator(".o_data_row")).to_have_count(3)
    album.keep(album.wide, "dead_letters")


def failing(album: Album, database: Database) -> None:
    """Take a group of failures, before and after it is retried."""
    records = [
        *database.computations(40, name="Seats of both halls", value=120, other=80),
        *database.computations(3, name="Seats a row", operation="div", value=120, other=0),
    ]
    database.client.click("nameko.compute", "action_compute_later", records)
    wait_until(lambda: database.states("nameko_job") == {"done": 40, "failed": 3})
    ((failure,),) = wait_until(lambda: database.sql("SELECT id FROM nameko_failure"))
    album.take("failure", f"nameko-failures/{failure}", ".o_form_view")
    album.wide.locator("button[name=action_retry]").first.click()
    expect(album.wide.locator(".o_notification").first).to_have_css("opacity", "1")
    album.keep(album.wide, "failure_retry")


def running(album: Album, database: Database) -> None:
    """Take thousands of running jobs: in the overview, as a batch, in a list."""
    values = {"name": "Primes", "operation": "prime_count", "value": PRIMES}
    records = database.computations(MANY, **values)
    database.client.click("nameko.compute", "action_compute_later", records)
    query = "SELECT batch_id FROM nameko_job WHERE batch_id IS NOT NULL ORDER BY id DESC LIMIT 1"
    ((batch,),) = database.sql(query)
    wait_until(lambda: database.states("nameko_job").get("done", 0) > MANY / 10)
    album.take("overview", "nameko-overview", "canvas", wide=TALL)
    album.take("batch", f"nameko-batches/{batch}", "[name=done_count]")
    album.wide.locator(".o_nameko_batches").click()
    album.wide.wait_for_selector(".o_nameko_batch")
    album.keep(album.wide, "batch_menu")
    album.take("batches", "nameko-batches", ".o_data_row, .o_kanban_record")
    database.client.click("nameko.batch", "action_cancel", [batch])


def job_with_attempts(database: Database) -> int:
    """Return a job that has failed three times."""
    (job,) = database.jobs(1, "pending")
    database.sql("UPDATE nameko_compute SET name = 'Seats a row' WHERE job_id = %s", job)
    database.sql(
        "UPDATE nameko_job SET arguments = %s, attempts = 0, retry_on = '*', retry_delays = '1',"
        " eta = now() AT TIME ZONE 'UTC' WHERE id = %s",
        json.dumps({"args": ["div", 120, 0, None], "kwargs": {}}),
        job,
    )
    query = "SELECT state FROM nameko_job WHERE id = %s"
    wait_until(lambda: database.sql(query, job) == [("failed",)])
    return job


def linked_jobs(database: Database) -> int:
    """Return one of two jobs that depend on a first job, and on which a last job depends."""
    first, *middle, last = ids = database.jobs(4, "pending")
    for job, name in zip(ids, ("Seats in all", "Seats below", "Seats above", "Price"), strict=True):
        database.sql("UPDATE nameko_compute SET name = %s WHERE job_id = %s", name, job)
    database.sql(
        "UPDATE nameko_job SET state = 'done', eta = NULL, sent_at = create_date,"
        " done_at = create_date + interval '12 ms' WHERE id = ANY(%s)",
        [first, middle[0]],
    )
    database.sql("UPDATE nameko_job SET is_waiting = true, eta = NULL WHERE id = %s", last)
    for earlier, later in ((first, middle[0]), (first, middle[1]), *((m, last) for m in middle)):
        database.sql(
            "INSERT INTO nameko_job_predecessor (job_id, predecessor_id, sequence)"
            " VALUES (%s, %s, 0)",
            later,
            earlier,
        )
    return ids[1]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
