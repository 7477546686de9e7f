"""Take the pictures of the services and of the settings: `make screenshot`."""

import os
import sys
from pathlib import Path

from playwright.sync_api import Page

from tests.browser.chromium import chromium
from tests.browser.odoo_page import log_in, wait_until_loaded


def main(folder: Path) -> None:
    """Open the pages as an administrator would, and save the screenshots."""
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 720})
        log_in(page, os.environ["ODOO_URL"])
        open_services(page)
        wait_until_loaded(page)
        page.screenshot(path=folder / "services.png")
        page.locator(".o_kanban_record:has-text('compute')").first.click()
        page.wait_for_selector("[name=method_ids] .o_data_row")
        page.set_viewport_size({"width": 1280, "height": 900})
        wait_until_loaded(page)
        page.screenshot(path=folder / "service.png")
        open_settings(page)
        page.set_viewport_size({"width": 1280, "height": 1000})
        wait_until_loaded(page)
        page.screenshot(path=folder / "settings.png")


def open_services(page: Page) -> None:
    """Open the services, and wait until `compute` is shown as up."""
    page.goto(f"{os.environ['ODOO_URL']}/odoo/nameko-services")
    page.wait_for_selector(".o_kanban_record:has-text('compute'):has-text('Up')")


def open_settings(page: Page, address: str | None = None) -> None:
    """Open Nameko's page in the settings from the addon's menu. address: default, the stack's."""
    page.goto(f"{address or os.environ['ODOO_URL']}/odoo/nameko-services")
    page.click(".o_menu_sections button:has-text('Configuration')")
    page.click(".dropdown-item:has-text('Settings')")
    page.wait_for_selector("[name=nameko_broker]")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
