"""A person who presses buttons in the web client and reads what it then shows."""

from playwright.sync_api import Page, expect

from tests.browser.buttons.every_button import MANY, Database


class Person:
    """A person at the web client."""

    def __init__(self, page: Page, database: Database, address: str) -> None:
        self.page, self.database, self.address = page, database, address

    def open(self, path: str) -> None:
        self.page.goto(f"{self.address}/odoo/{path}")
        self.page.wait_for_selector(".o_form_view, .o_list_view")

    def press(self, name: str) -> None:
        self.page.locator(f"button[name='{name}']").first.click()

    def dialog(self, label: str) -> None:
        self.page.locator(".modal").get_by_role("button", name=label, exact=True).click()

    def select_all(self, path: str) -> None:
        self.open(path)
        self.page.locator("thead .o_list_record_selector input").check()
        self.page.locator(".o_select_domain").click()
        expect(self.page.locator(".o_selection_box")).to_contain_text(str(MANY))

    def choose(self, item: str) -> None:
        self.page.locator(".o_cp_action_menus button", has_text="Actions").click()
        self.page.locator(".o-dropdown--menu").get_by_text(item, exact=True).click()

    def told(self, *texts: str) -> None:
        shown = "text => window.notified.some((each) => each.includes(text))"
        for text in texts:
            self.page.wait_for_function(shown, arg=text)

    def shows_state(self, label: str) -> None:
        current = self.page.locator(".o_statusbar_status .o_arrow_button_current")
        expect(current).to_have_text(label)
