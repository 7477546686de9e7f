"""The page that all tests of buttons share; each test opens an address on it."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, Page

from tests.conftest import Stack

# A notification closes by itself, on a busy machine perhaps between two looks.
KEEP_NOTIFICATIONS = """
    window.notified = [];
    new MutationObserver(() => {
        for (const { textContent } of document.querySelectorAll(".o_notification")) {
            window.notified.push(textContent);
        }
    }).observe(document, { childList: true, subtree: true });
"""


@pytest.fixture(scope="module")
def kept_tab(logged_in: BrowserContext) -> Iterator[Page]:
    """A page with admin logged in."""
    page = logged_in.new_page()
    page.add_init_script(KEEP_NOTIFICATIONS)
    yield page
    page.close()


@pytest.fixture
def tab(kept_tab: Page, stack: Stack) -> Page:
    """The page, which has forgotten what it showed before.

    Odoo's web client first shows a list as it was, and unticks its rows when the answer differs.
    """
    session = kept_tab.context.new_cdp_session(kept_tab)
    session.send(
        "Storage.clearDataForOrigin", {"origin": stack.odoo_url, "storageTypes": "indexeddb"}
    )
    session.detach()
    return kept_tab
