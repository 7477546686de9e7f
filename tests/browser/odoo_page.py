"""Actions of a user in Odoo's web client, for tests and screenshots."""

from playwright.sync_api import BrowserContext, Page, expect

from stack.demo import LOGIN, PASSWORD
from tests.waiting import PATIENCE


def be_patient(context: BrowserContext) -> None:
    """Wait for a page as long as tests do for anything."""
    context.set_default_timeout(PATIENCE * 1000)


def log_in(page: Page, address: str, login: str = LOGIN, password: str = PASSWORD) -> None:
    """Log in."""
    be_patient(page.context)
    page.goto(f"{address}/web/login")
    page.fill("input[name=login]", login)
    page.fill("input[name=password]", password)
    page.click("button[type=submit]")
    page.wait_for_selector(".o_main_navbar")


def open_odoo(
    context: BrowserContext, address: str, login: str = LOGIN, password: str = PASSWORD
) -> Page:
    """Open the web client on a new page; log in if this browser has no session."""
    be_patient(context)
    page = context.new_page()
    page.goto(f"{address}/odoo")
    page.wait_for_selector(".o_main_navbar, input[name=login]")
    if page.locator("input[name=login]").count():
        log_in(page, address, login, password)
    return page


def open_computations(page: Page) -> None:
    """Open the menu of the addon from the apps menu."""
    page.click(".o_navbar_apps_menu button")
    page.click(".o-dropdown--menu .o_app:has-text('Nameko')")
    page.wait_for_selector(".o_list_view, .o_view_nocontent")


def new_computation(page: Page, name: str, value: str, other: str) -> None:
    page.click(".o_list_button_add")
    page.fill(".o_field_widget[name=name] input", name)
    page.fill(".o_field_widget[name=value] input", value)
    page.fill(".o_field_widget[name=other] input", other)


def expect_result(page: Page, shown: str) -> None:
    expect(page.locator(".o_field_widget[name=result]")).to_have_text(shown)


def wait_until_loaded(page: Page) -> None:
    """Wait until the page and its chatter are loaded."""
    loading = ".o_loading_indicator, .fa-spin, .o-mail-Chatter-topbar button:disabled"
    expect(page.locator(loading)).to_have_count(0)
