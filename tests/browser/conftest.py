"""A headless Chromium with a user logged in to Odoo."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.odoo_page import log_in
from tests.conftest import Stack


@pytest.fixture(scope="session")
def browser(browser_type_launch_args: dict[str, object]) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(**browser_type_launch_args)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser, stack: Stack) -> Iterator[Page]:
    """A page on which admin is logged in."""
    page = browser.new_page(viewport={"width": 1280, "height": 720})
    log_in(page, stack.odoo_url)
    yield page
    page.close()
