"""What a manager, an administrator and a user do in Odoo's web client."""

from collections.abc import Mapping

from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.odoo_page import log_in


def page_of(browser: Browser, address: str, login: str, password: str, height: int = 900) -> Page:
    page = browser.new_page(viewport={"width": 1200, "height": height})
    log_in(page, address, login, password)
    return page


def choose(form: Page | Locator, field: str, text: str) -> None:
    """Choose a record in a many2one field by what it shows."""
    widget = form.locator(f".o_field_widget[name={field}]")
    widget.locator("input").fill(text)
    page = form if isinstance(form, Page) else form.page
    page.locator(".o-autocomplete--dropdown-item", has_text=text).first.click()
    expect(widget.locator("input")).to_have_value(text)


def type_into(form: Page | Locator, field: str, text: str) -> None:
    form.locator(f".o_field_widget[name={field}] input").fill(text)


def set_values(form: Page | Locator, values: Mapping[str, str]) -> None:
    """Fill in the expression of each named parameter."""
    rows = form.locator(".o_field_widget[name=nameko_parameter_ids]")
    for name, value in values.items():
        cell = rows.page.locator("td[name=name]").get_by_text(name, exact=True)
        rows.locator("tr.o_data_row", has=cell).locator("td[name=value]").click()
        rows.locator(".o_selected_row td[name=value] input").fill(value)
        leave_row(form)


def add_parameter(form: Page | Locator, name: str, value: str) -> None:
    rows = form.locator(".o_field_widget[name=nameko_parameter_ids]")
    rows.get_by_role("button", name="Add a line").click()
    rows.locator(".o_selected_row td[name=name] input").fill(name)
    rows.locator(".o_selected_row td[name=value] input").fill(value)
    leave_row(form)


def leave_row(form: Page | Locator) -> None:
    """Leave the row that is being edited, by a click beside the table."""
    form.get_by_text("Each value is a Python expression").click()
    expect(form.locator(".o_selected_row")).to_have_count(0)


def save(page: Page) -> None:
    page.click(".o_form_button_save")
    expect(page.locator(".o_form_button_save")).to_be_hidden()


def open_contacts(page: Page, address: str) -> None:
    """Show the three partners as a list."""
    page.goto(f"{address}/odoo/action-contacts.action_contacts?view_type=list")
    page.wait_for_selector(".o_list_view")


def select_partners(page: Page, names: tuple[str, ...]) -> None:
    for name in names:
        row = page.locator("tr.o_data_row", has=page.get_by_text(name, exact=True))
        row.locator(".o_list_record_selector input").check()


def run_from_the_action_menu(page: Page, action: str) -> None:
    page.locator(".o_cp_action_menus button", has_text="Actions").click()
    page.locator(".o-dropdown--menu .o-dropdown-item", has_text=action).first.click()


def new_action(page: Page, address: str) -> None:
    """Open the form of a new action for contacts."""
    page.goto(f"{address}/odoo/nameko-actions/new")
    choose(page, "model_id", "Contact")


def take_the_text_as_reference(form: Page | Locator) -> None:
    choose(form, "nameko_result_field_id", "Reference")
    type_into(form, "nameko_result_path", "quote.text")


def choose_quote(form: Page | Locator, letter_price: str) -> None:
    """Choose the method in the catalogue, which fills in its service, name and parameters."""
    choose(form, "nameko_method_id", "pricing.quote")
    expect(form.locator(".o_field_widget[name=nameko_service]")).to_have_text("pricing")
    set_values(form, {"name": "record.name", "letter_price": letter_price})
    take_the_text_as_reference(form)


def type_quote(form: Page | Locator, letter_price: str) -> None:
    """Type the service, method and parameters that the catalogue would fill in."""
    type_into(form, "nameko_service", "pricing")
    type_into(form, "nameko_method", "quote")
    add_parameter(form, "name", "record.name")
    add_parameter(form, "letter_price", letter_price)
    take_the_text_as_reference(form)


def new_rule(page: Page, address: str) -> Locator:
    """Open a new automation rule for changed contacts; return the form of its action."""
    page.goto(f"{address}/odoo/automations/new")
    type_into(page, "name", "Quote each contact")
    choose(page, "model_id", "Contact")
    page.locator(".o_field_widget[name=trigger] input").click()
    page.get_by_text("On create and edit", exact=True).click()
    page.get_by_role("button", name="Add an action").click()
    action = page.locator(".modal")
    choose_kind(action)
    return action


def choose_kind(form: Page | Locator) -> None:
    form.locator(".o_field_widget[name=state]").get_by_text("Call a Nameko service").click()
    expect(form.locator(".o_field_widget[name=nameko_service]")).to_be_visible()


def new_schedule(page: Page, address: str) -> None:
    """Open a new scheduled action that calls a service, for contacts."""
    page.goto(f"{address}/odoo/crons/new")
    choose(page, "model_id", "Contact")
    choose_kind(page)
