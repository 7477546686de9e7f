"""Take the README's picture of the form: `make screenshot`."""

import os
import sys

from tests.browser.chromium import chromium
from tests.browser.odoo_page import (
    expect_result,
    log_in,
    new_computation,
    open_computations,
    wait_until_loaded,
)


def main(path: str) -> None:
    """Compute a sum as a person would, and save the screenshot."""
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 1100, "height": 460})
        log_in(page, os.environ["ODOO_URL"])
        open_computations(page)
        new_computation(page, "Seats in both halls", "99999", "99999")
        page.click("button[name=action_suma]")
        expect_result(page, "199,998")
        wait_until_loaded(page)
        page.screenshot(path=path)


if __name__ == "__main__":
    main(sys.argv[1])
