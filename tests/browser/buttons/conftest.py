"""The page that all tests of buttons share; each test opens an address on it."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, Page


@pytest.fixture(scope="module")
def tab(logged_in: BrowserContext) -> Iterator[Page]:
    """A page with admin logged in, which the tests share."""
    page = logged_in.new_page()
    yield page
    page.close()
