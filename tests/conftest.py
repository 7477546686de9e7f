"""Fixtures for the running stack, whose environment `python -m stack exec` sets."""

import os
from collections.abc import Iterator
from dataclasses import dataclass

import hypothesis
import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from stack.demo import LOGIN, PASSWORD
from stack.stack import broker_answers, services_answer
from stack.supervision import Control
from stack.web import WebClient
from tests.browser.chromium import chromium
from tests.browser.odoo_page import open_odoo
from tests.waiting import wait_until

# An example does not fail because the machine is slow.
hypothesis.settings.register_profile("tests", deadline=None)
hypothesis.settings.load_profile("tests")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that stop parts of the stack."""
    for item in items:
        if "faults" in getattr(item, "fixturenames", ()):
            item.add_marker("faults")


@dataclass(frozen=True)
class Stack:
    """Addresses of the running stack, and control over its programs."""

    control: Control
    odoo_url: str
    database: str
    amqp_uri: str
    management_uri: str

    def web_client(self, login: str = LOGIN, password: str = PASSWORD) -> WebClient:
        client = WebClient(self.odoo_url)
        client.log_in(self.database, login, password)
        return client

    def wait_until_whole(self) -> None:
        """Start what a test has stopped, and wait until the broker and the services answer."""
        self.control.start("epmd", "rabbitmq", "services")
        wait_until(lambda: broker_answers(os.environ))
        wait_until(lambda: services_answer(os.environ))


@pytest.fixture(scope="session")
def stack() -> Stack:
    if "STACK_SUPERVISOR_URL" not in os.environ:
        pytest.exit(
            "these tests need the stack: run `make test`, or `python -m stack exec -- pytest ...`"
        )
    return Stack(
        control=Control(os.environ["STACK_SUPERVISOR_URL"]),
        odoo_url=os.environ["ODOO_URL"],
        database=os.environ["ODOO_DATABASE"],
        amqp_uri=os.environ["AMQP_URI"],
        management_uri=os.environ["RABBITMQ_MANAGEMENT_URI"],
    )


@pytest.fixture
def faults(stack: Stack) -> Iterator[Control]:
    """Control over the stack's programs; those that the test stops are started again after it."""
    yield stack.control
    for program in ("rabbitmq", "services"):
        if stack.control.is_alive(program):
            stack.control.signal(program, "CONT")
    stack.wait_until_whole()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A headless Chromium."""
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="session")
def logged_in(browser: Browser, stack: Stack) -> Iterator[BrowserContext]:
    """A browser in which admin is logged in; it keeps its cache from test to test."""
    context = browser.new_context(viewport={"width": 1280, "height": 720})
    open_odoo(context, stack.odoo_url).close()
    yield context
    context.close()


@pytest.fixture
def tab(logged_in: BrowserContext) -> Iterator[Page]:
    """An empty page, with admin logged in: the test opens an address itself."""
    page = logged_in.new_page()
    yield page
    page.close()


@pytest.fixture
def page(logged_in: BrowserContext, stack: Stack) -> Iterator[Page]:
    """A page on which admin is logged in."""
    page = open_odoo(logged_in, stack.odoo_url)
    yield page
    page.close()
