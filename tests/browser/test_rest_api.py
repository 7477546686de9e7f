"""The REST API of the running stack, as a person and a script use it."""

import os
import uuid

import requests
from playwright.sync_api import Page, expect

from stack.layout import LOGS
from tests.waiting import wait_until

ADDRESS = f"http://127.0.0.1:{os.environ.get('STACK_API_PORT')}"
HEADERS = {"X-API-Key": os.environ.get("STACK_API_KEY", "")}


def mails_to(address: str) -> list[str]:
    """Return the mails that the stack's catcher printed for an address."""
    mails = (LOGS / "mail_catcher.log").read_text().split("MESSAGE FOLLOWS")
    return [mail for mail in mails if f"To: {address}" in mail]


def test_computation_is_mailed():
    email = f"{uuid.uuid4().hex}@example.com"
    body = {"operation": "mul", "value": 30, "other": 10, "email": email}
    answer = requests.post(f"{ADDRESS}/compute", json=body, headers=HEADERS, timeout=30)
    assert answer.status_code == 202
    assert answer.json() == {"message": "The result will be mailed to you."}
    mails = wait_until(lambda: len(found := mails_to(email)) == 2 and found)
    (result,) = [mail for mail in mails if "Subject: Your operation is complete!" in mail]
    assert "The result is: 300" in result
    assert any("Subject: API Notification" in mail for mail in mails)


def test_swagger_ui_needs_no_internet(browser):
    page: Page = browser.new_page()
    elsewhere = []
    page.on("request", lambda each: elsewhere.append(each.url) if is_elsewhere(each.url) else None)
    page.goto(f"{ADDRESS}/apidocs/swagger")
    expect(page.locator(".opblock-summary-path").first).to_contain_text("/compute")
    page.close()
    assert elsewhere == []


def is_elsewhere(url: str) -> bool:
    return not url.startswith((ADDRESS, "data:"))
