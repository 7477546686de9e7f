"""The world without code, and a clean one for each test."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from stack.demo import LOGIN
from stack.demo import PASSWORD as ADMIN_PASSWORD
from tests.conftest import Stack
from tests.nocode.pages import page_of
from tests.nocode.world import MANAGER, PASSWORD, NoCode, opened


@pytest.fixture(scope="module")
def running_nocode(stack: Stack) -> Iterator[NoCode]:
    with opened() as nocode:
        yield nocode


@pytest.fixture
def nocode(running_nocode: NoCode) -> Iterator[NoCode]:
    """Partners without references; rules and actions of the test are deleted after it."""
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


@pytest.fixture
def manager_page(browser: Browser, nocode: NoCode) -> Iterator[Page]:
    """The page of a manager who is no administrator."""
    page = page_of(browser, nocode.address, MANAGER, PASSWORD)
    yield page
    page.close()


@pytest.fixture
def admin_page(browser: Browser, nocode: NoCode) -> Iterator[Page]:
    page = page_of(browser, nocode.address, LOGIN, ADMIN_PASSWORD)
    yield page
    page.close()
