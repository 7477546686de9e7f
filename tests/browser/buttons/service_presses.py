"""Presses of the buttons of server actions, services, dead letters and the settings."""

import re

from playwright.sync_api import expect

from tests.browser.buttons.every_button import MANY
from tests.browser.buttons.person import Person
from tests.browser.screenshots.catalogue import open_settings
from tests.waiting import wait_until


class ServicePresses(Person):
    """On actions, services and settings."""

    def action(self) -> None:
        self.database.computations(1)
        self.open(f"nameko-actions/{self.database.server_action()}")

    def action_try(self) -> None:
        self.action()
        self.press("action_nameko_try")
        expect(self.page.locator(".modal [name=action_id]")).to_be_visible()

    def trial_try(self) -> None:
        self.action_try()
        self.page.locator(".modal button[name=action_try]").click()
        expect(self.page.locator(".modal [name=answer]")).to_have_text("2")

    def trial_close(self) -> None:
        self.action_try()
        self.page.locator(".modal footer").get_by_role("button", name="Close").click()
        expect(self.page.locator(".modal")).to_have_count(0)

    def add_to_menu(self) -> None:
        self.action()
        self.press("create_action")
        expect(self.page.locator("button[name=unlink_action]")).to_be_visible()

    def remove_from_menu(self) -> None:
        self.add_to_menu()
        self.press("unlink_action")
        expect(self.page.locator("button[name=create_action]")).to_be_visible()

    def service(self) -> None:
        find = self.database.client.call
        service = wait_until(lambda: find("nameko.service", "search", [["name", "=", "compute"]]))
        self.open(f"nameko-services/{service[0]}")

    def refresh_queue(self) -> None:
        self.service()
        self.press("action_refresh_queue")
        expect(self.page.locator("[name=queue_consumers]")).to_have_text(re.compile("[1-9]"))

    def service_jobs(self) -> None:
        self.database.jobs(2, "done")
        self.service()
        self.press("action_show_jobs")
        expect(self.page.locator(".o_list_view .o_data_row")).to_have_count(2)

    def service_policies(self) -> None:
        self.database.policy()
        self.service()
        self.press("action_show_policies")
        expect(self.page.locator(".o_list_view .o_data_row")).to_have_count(1)

    def pause_asked(self) -> None:
        self.service()
        self.press("action_pause")
        self.page.fill(".modal [name=reason] input", "Maintenance")

    def service_pause(self) -> None:
        self.pause_asked()
        self.page.locator(".modal button[name=action_pause]").click()
        expect(self.page.locator("[name=pause_text]")).to_have_text("Paused: Maintenance")

    def service_resume(self) -> None:
        self.database.policy(is_paused=True)
        self.service()
        self.press("action_resume")
        expect(self.page.locator("button[name=action_pause]")).to_be_visible()

    def pause_discard(self) -> None:
        self.pause_asked()
        self.page.locator(".modal footer").get_by_role("button", name="Discard").click()
        expect(self.page.locator(".modal")).to_have_count(0)
        expect(self.page.locator("button[name=action_pause]")).to_be_visible()

    def letters(self, count: int = 1) -> None:
        self.database.dead_letters(count)
        self.service()
        self.press("action_dead_letters")
        expect(self.page.locator(".o_data_row")).to_have_count(min(count, 80))

    def letter(self) -> None:
        self.letters()
        self.page.locator(".o_data_row .o_data_cell").nth(2).click()
        expect(self.page.locator("[name=body]")).to_contain_text('"args"')

    def no_letters_are_left(self) -> None:
        self.service()
        self.press("action_dead_letters")
        expect(self.page.get_by_text("No dead letters")).to_be_visible()

    def letter_send(self) -> None:
        self.letter()
        self.press("action_send_again")
        self.told("1 sent again.")
        self.no_letters_are_left()

    def letter_drop(self) -> None:
        self.letter()
        self.press("action_drop")
        self.dialog("Drop")
        self.told("1 dropped.")
        self.no_letters_are_left()

    def letters_send(self) -> None:
        self.letters(MANY)
        self.all_letters()
        self.press("action_send_again")
        self.told(f"{MANY} sent again.")
        self.no_letters_are_left()

    def letters_drop(self) -> None:
        self.letters(MANY)
        self.all_letters()
        self.press("action_drop")
        self.dialog("Drop")
        self.told(f"{MANY} dropped.")
        self.no_letters_are_left()

    def all_letters(self) -> None:
        self.page.locator("thead .o_list_record_selector input").check()
        self.page.locator(".o_select_domain").click()

    def service_method(self, button: str) -> None:
        self.service()
        row = self.page.locator("[name=method_ids] .o_data_row", has_text="value1")
        row.locator(f"button[name={button}]").click()

    def service_try(self) -> None:
        self.service_method("action_try")
        self.method_tried()

    def service_make_action(self) -> None:
        self.service_method("action_make_action")
        self.action_begun()

    def method(self) -> None:
        domain = [["service", "=", "compute"], ["name", "=", "method"]]
        (method,) = self.database.client.call("nameko.method", "search", domain)
        self.page.goto(f"{self.address}/odoo/nameko.method/{method}")

    def method_try(self) -> None:
        self.method()
        self.press("action_try")
        self.method_tried()

    def method_make_action(self) -> None:
        self.method()
        self.press("action_make_action")
        self.action_begun()

    def method_tried(self) -> None:
        self.page.fill(".modal [name=named] textarea", '{"value1": 40, "value2": 2}')
        self.page.locator(".modal button[name=action_try]").click()
        answer = self.page.locator(".modal [name=answer]")
        expect(answer).to_have_text("42")

    def method_close(self) -> None:
        self.service_method("action_try")
        self.page.locator(".modal footer").get_by_role("button", name="Close").click()
        expect(self.page.locator(".modal")).to_have_count(0)

    def action_begun(self) -> None:
        method = self.page.locator("[name=nameko_method_id] input")
        expect(method).to_have_value("compute.method")
        rows = self.page.locator("[name=nameko_parameter_ids] .o_data_row")
        expect(rows).to_have_count(2)

    def connection(self) -> None:
        open_settings(self.page)
        self.press("action_nameko_test_connection")
        self.told("It works")
