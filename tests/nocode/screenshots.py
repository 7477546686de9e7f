"""Take the pictures of docs/no_code.md: `make screenshot`."""

import sys
from pathlib import Path

from playwright.sync_api import Browser, expect

from stack.demo import LOGIN
from stack.demo import PASSWORD as ADMIN_PASSWORD
from tests.browser.chromium import chromium
from tests.browser.odoo_page import wait_until_loaded
from tests.nocode.pages import (
    choose_quote,
    new_action,
    new_rule,
    new_schedule,
    open_contacts,
    page_of,
    save,
    select_partners,
    type_into,
)
from tests.nocode.world import MANAGER, NAMES, PASSWORD, NoCode, opened


def main(folder: Path) -> None:
    """Follow the steps of the page once, and save the screenshots."""
    with opened() as nocode, chromium() as browser:
        show_the_manager(browser, nocode, folder)
        show_the_administrator(browser, nocode, folder)


def show_the_manager(browser: Browser, nocode: NoCode, folder: Path) -> None:
    page = page_of(browser, nocode.address, MANAGER, PASSWORD, height=1080)
    new_action(page, nocode.address)
    choose_quote(page, "1.5")
    type_into(page, "name", "Quote a price")
    save(page)
    wait_until_loaded(page)
    page.screenshot(path=folder / "server_action.png")
    page.set_viewport_size({"width": 1200, "height": 820})
    page.click("button[name=action_nameko_try]")
    page.click(".modal button[name=action_try]")
    expect(page.locator(".modal .o_field_widget[name=answer]")).to_be_visible()
    page.screenshot(path=folder / "server_action_trial.png")
    page.locator(".modal .btn-close").click()
    page.click("button[name=create_action]")
    expect(page.locator("button[name=unlink_action]")).to_be_visible()
    page.set_viewport_size({"width": 1200, "height": 460})
    open_contacts(page, nocode.address)
    select_partners(page, NAMES)
    page.locator(".o_cp_action_menus button", has_text="Actions").click()
    page.locator(".o-dropdown-item", has_text="Quote a price").hover()
    page.screenshot(path=folder / "server_action_menu.png")


def show_the_administrator(browser: Browser, nocode: NoCode, folder: Path) -> None:
    page = page_of(browser, nocode.address, LOGIN, ADMIN_PASSWORD, height=1000)
    choose_quote(new_rule(page, nocode.address), "1.5")
    page.screenshot(path=folder / "server_action_rule.png")
    new_schedule(page, nocode.address)
    choose_quote(page, "1.5")
    type_into(page, "name", "Quote prices each night")
    page.locator(".o_field_widget[name=interval_type] input").click()
    page.locator(".o_select_menu_item", has_text="Days").click()
    page.get_by_label("Run on Records That Match").check()
    page.get_by_text("Match all records").wait_for()
    page.set_viewport_size({"width": 1200, "height": 1250})
    page.screenshot(path=folder / "server_action_schedule.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
