"""Fixtures for tests of server actions that call services without code."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from stack.demo import LOGIN
from stack.demo import PASSWORD as ADMIN_PASSWORD
from tests.browser.odoo_page import open_odoo
from tests.conftest import Stack
from tests.nocode.world import MANAGER, PASSWORD, NoCode, opened


@pytest.fixture(scope="module")
def running_nocode(stack: Stack) -> Iterator[NoCode]:
    with opened() as nocode:
        yield nocode


@pytest.fixture
def nocode(running_nocode: NoCode) -> Iterator[NoCode]:
    """The world with partners without references; delete the test's rules and actions after it."""
    running_nocode.world.sql("UPDATE res_partner SET ref = NULL")
    yield running_nocode
    client = running_nocode.client()
    for model, domain in (
        ("base.automation", []),
        ("ir.cron", [["state", "=", "nameko"]]),
        ("ir.actions.server", [["state", "=", "nameko"]]),
    ):
        found = client.call(model, "search", domain)
        client.call(model, "unlink", found)


@pytest.fixture(scope="module")
def manager_browser(browser: Browser) -> Iterator[BrowserContext]:
    """A browser of the manager's, which keeps its cache and session."""
    yield from _context(browser)


@pytest.fixture(scope="module")
def admin_browser(browser: Browser) -> Iterator[BrowserContext]:
    yield from _context(browser)


def _context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport={"width": 1200, "height": 900})
    yield context
    context.close()


@pytest.fixture
def manager_page(manager_browser: BrowserContext, nocode: NoCode) -> Iterator[Page]:
    """The page of a manager who is no administrator."""
    page = open_odoo(manager_browser, nocode.address, MANAGER, PASSWORD)
    yield page
    page.close()


@pytest.fixture
def admin_page(admin_browser: BrowserContext, nocode: NoCode) -> Iterator[Page]:
    page = open_odoo(admin_browser, nocode.address, LOGIN, ADMIN_PASSWORD)
    yield page
    page.close()
