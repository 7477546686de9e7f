"""Without code: people make contacts' references come from a service that Odoo knows nothing of."""

import pytest
from playwright.sync_api import Page, expect

from stack.web import OdooRefused
from tests.nocode.pages import (
    choose_quote,
    new_action,
    new_rule,
    new_schedule,
    open_contacts,
    run_from_the_action_menu,
    save,
    select_partners,
    type_into,
    type_quote,
)
from tests.nocode.world import MANAGER, NAMES, PASSWORD, NoCode
from tests.waiting import wait_until


def run_on_the_partners(page: Page, nocode: NoCode) -> None:
    page.click("button[name=create_action]")
    expect(page.locator("button[name=unlink_action]")).to_be_visible()
    open_contacts(page, nocode.address)
    select_partners(page, NAMES)
    run_from_the_action_menu(page, "Call pricing.quote")


def test_manager_chooses_a_method_tries_it_and_runs_it_now(manager_page: Page, nocode: NoCode):
    page = manager_page
    new_action(page, nocode.address)
    choose_quote(page, "1.5")
    save(page)
    page.click("button[name=action_nameko_try]")
    page.click(".modal button[name=action_try]")
    expect(page.locator(".modal .o_field_widget[name=answer]")).to_contain_text('"text": ')
    expect(page.locator(".modal .o_field_widget[name=written]")).to_contain_text(" EUR")
    page.locator(".modal .btn-close").click()
    assert nocode.refs() == ["", "", ""]
    run_on_the_partners(page, nocode)
    expect(page.locator(".o_notification", has_text="3 done, 0 failed")).to_be_visible()
    assert nocode.refs() == ["4.50 EUR", "4.50 EUR", "6.00 EUR"]


def test_manager_types_a_method_and_runs_it_later(manager_page: Page, nocode: NoCode):
    page = manager_page
    new_action(page, nocode.address)
    type_quote(page, "2")
    page.get_by_label("Later: as a job").check()
    save(page)
    run_on_the_partners(page, nocode)
    expect(page.locator(".o_notification", has_text="3 queued, 0 failed")).to_be_visible()
    wait_until(lambda: nocode.refs() == ["6.00 EUR", "6.00 EUR", "8.00 EUR"])
    page.goto(f"{nocode.address}/odoo/nameko-jobs")
    expect(page.locator(".o_data_row")).to_have_count(3)


def test_error_of_the_service_is_told(manager_page: Page, nocode: NoCode):
    page = manager_page
    new_action(page, nocode.address)
    type_quote(page, "record.id / 0")
    save(page)
    run_on_the_partners(page, nocode)
    expect(page.locator(".modal")).to_contain_text("division by zero")
    expect(page.locator(".modal")).not_to_contain_text("Traceback")


def test_many_failures_are_one_message_that_leads_to_them(manager_page: Page, nocode: NoCode):
    page, client = manager_page, nocode.odoo.web_client(MANAGER, PASSWORD)
    partners = client.call("res.partner", "create", [{"name": f"No. {n}"} for n in range(60)])
    action = {
        "name": "Quote in vain",
        "model_id": client.call("ir.model", "search", [["model", "=", "res.partner"]])[0],
        "state": "nameko",
        "nameko_service": "pricing",
        "nameko_method": "quote",
        "nameko_when": "later",
        "nameko_result_kind": "nothing",
        "nameko_parameter_ids": [[0, 0, {"name": "name", "value": "''"}]],
    }
    action_id = client.call("ir.actions.server", "create", action)
    open_contacts(page, nocode.address)
    context = {"active_model": "res.partner", "active_ids": partners}
    client.call("ir.actions.server", "run", [action_id], context=context)
    toast = page.locator(".o_notification", has_text="60 failed")
    expect(toast).to_contain_text("60 failed. The first: No. ")
    expect(toast).to_have_count(1)
    expect(toast).to_contain_text("A name is needed to quote a price.")
    toast.get_by_role("button", name="Show").click()
    expect(page.locator(".o_pager_limit")).to_have_text("60")
    expect(toast).to_have_count(0)
    expect(page.locator(".o_data_row").first).to_contain_text("A name is needed")


def test_expression_is_checked_when_saved(manager_page: Page, nocode: NoCode):
    page = manager_page
    new_action(page, nocode.address)
    type_quote(page, "record.sudo(")
    page.click(".o_form_button_save")
    expect(page.locator(".modal")).to_contain_text("“record.sudo(” is not a valid expression")


@pytest.mark.parametrize("when", ["Now: wait", "Later: as a job"])
def test_automation_rule_on_write(admin_page: Page, nocode: NoCode, when: str):
    page = admin_page
    form = new_rule(page, nocode.address)
    choose_quote(form, "3")
    form.get_by_label(when).check()
    form.locator(".o_form_button_save").click()
    expect(form).to_have_count(0)
    save(page)
    jobs = len(nocode.world.sql("SELECT id FROM nameko_job"))
    client = nocode.client()
    cleo = client.call("res.partner", "search", [["name", "=", "Cleo"]])
    client.call("res.partner", "write", cleo, {"function": "Buyer"})
    wait_until(lambda: nocode.refs() == ["", "", "12.00 EUR"])
    nocode.world.wait_until_finished()
    made = len(nocode.world.sql("SELECT id FROM nameko_job")) - jobs
    assert made == (1 if when.startswith("Later") else 0)  # the result set no other off


def test_scheduled_action(admin_page: Page, nocode: NoCode):
    page = admin_page
    new_schedule(page, nocode.address)
    type_into(page, "name", "Nightly quotes")
    choose_quote(page, "4")
    page.get_by_label("Run on Records That Match").check()
    expect(page.locator(".o_field_widget[name=nameko_domain]")).to_be_visible()
    save(page)
    page.click("button[name=method_direct_trigger]")
    wait_until(lambda: nocode.refs() == ["12.00 EUR", "12.00 EUR", "16.00 EUR"])


def test_button_of_a_form_is_the_same_action(manager_page: Page, nocode: NoCode):
    page = manager_page
    new_action(page, nocode.address)
    choose_quote(page, "5")
    type_into(page, "name", "Quote it")
    save(page)
    page.click("button[name=create_action]")
    expect(page.locator("button[name=unlink_action]")).to_be_visible()
    open_contacts(page, nocode.address)
    page.get_by_text("Cleo", exact=True).click()
    page.wait_for_selector(".o_form_view")
    page.locator(".o_cp_action_menus button").first.click()
    page.locator(".o-dropdown--menu .o-dropdown-item", has_text="Quote it").click()
    wait_until(lambda: nocode.refs() == ["", "", "20.00 EUR"])


def test_error_in_a_rule_refuses_the_change(nocode: NoCode):
    client = nocode.client()
    (model,) = client.call("ir.model", "search", [["model", "=", "res.partner"]])
    action = {
        "name": "Quote nothing",
        "model_id": model,
        "state": "nameko",
        "usage": "base_automation",
        "nameko_service": "pricing",
        "nameko_method": "quote",
        "nameko_result_kind": "nothing",
        "nameko_parameter_ids": [[0, 0, {"name": "name", "value": "''"}]],
    }
    rule = {"name": "Quote", "model_id": model, "trigger": "on_create_or_write"}
    client.call("base.automation", "create", [{**rule, "action_server_ids": [[0, 0, action]]}])
    cleo = client.call("res.partner", "search", [["name", "=", "Cleo"]])
    with pytest.raises(OdooRefused, match="A name is needed"):
        client.call("res.partner", "write", cleo, {"ref": "changed"})
    assert nocode.refs() == ["", "", ""]
