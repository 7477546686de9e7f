"""A person logs in, makes a computation and presses its button."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.odoo_page import expect_result, new_computation, open_computations
from tests.conftest import Stack
from tests.spanish import speak


@pytest.fixture
def spanish(stack: Stack) -> Iterator[None]:
    """Have admin read Spanish meanwhile."""
    with speak(stack.web_client(), "es_ES"):
        yield


def test_button_writes_the_sum_into_the_form(page: Page):
    open_computations(page)
    new_computation(page, "From a browser", "99999", "99999")
    page.click("button[name=action_suma]")
    expect_result(page, "199,998")
    expect(page.locator(".o_statusbar_status .o_arrow_button_current")).to_have_text("Done")
    expect(page.locator(".o_field_widget[name=computed_by_id]")).to_contain_text("Administrator")


def test_error_is_a_dialog_without_traceback(page: Page, faults):
    open_computations(page)
    new_computation(page, "Nobody there", "1", "2")
    faults.stop("rabbitmq")
    page.click("button[name=action_suma]")
    dialog = page.locator(".modal-dialog")
    expect(dialog).to_contain_text("The message broker cannot be reached")
    expect(dialog).not_to_contain_text("Traceback")
    dialog.get_by_role("button", name="Close").first.click()
    expect(page.locator(".o_statusbar_status .o_arrow_button_current")).to_have_text("Draft")


@pytest.mark.usefixtures("spanish")
def test_spanish_reader_sees_suma(page: Page):
    open_computations(page)
    new_computation(page, "En español", "99999", "99999")
    suma = page.locator("button[name=action_suma]")
    expect(suma).to_have_text("Suma")  # ms: on a busy machine
    page.click("button[name=action_suma]")
    expect_result(page, "199.998")
