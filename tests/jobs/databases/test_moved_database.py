"""A database asks whether it was moved or is a copy: an administrator answers in the settings."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.odoo_page import log_in
from tests.browser.screenshots.catalogue import open_settings
from tests.jobs.databases.elsewhere import ACTIVITIES, UNTOUCHED, answer, make_some_sent
from tests.jobs.world import ADDONS, World
from tests.odoo_process import running_odoo
from tests.processes import Process
from tests.waiting import wait_until

QUESTION = "Was this database moved, or is it a copy?"
COUNTER = ".o-mail-ActivityMenu-counter"
MOVED = ("action_nameko_moved", "It is stopped: go on")
COPY = ("action_nameko_copy", "It is a copy: cancel its jobs")
Button = tuple[str, str]  # its name, and what confirms it


@pytest.fixture
def relay(world: World) -> Process:
    """The relay of a database that asks."""
    make_some_sent(world)
    answer(world, "--ask")
    relay = world.start_relay(wait=False)
    relay.wait_for_log("The relay waits")
    wait_until(lambda: world.sql(ACTIVITIES) == [(1,)], what="the activity")
    return relay


@pytest.fixture
def address(world: World, relay: Process) -> Iterator[str]:
    """Where an Odoo serves that database."""
    with running_odoo(world.database, addons=[ADDONS], AMQP_URI=world.amqp_uri) as odoo:
        yield f"http://127.0.0.1:{odoo.port}"


@pytest.fixture
def asked(browser: Browser, address: str) -> Iterator[Page]:
    """The settings, as the administrator sees them who is asked."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    log_in(page, address)
    open_settings(page, address)
    expect(question(page)).to_be_visible()
    expect(page.locator(COUNTER)).to_have_text("1")
    yield page
    context.close()


def question(page: Page) -> Locator:
    return page.get_by_role("heading", name=QUESTION)


def press(page: Page, button: Button, *, confirmed: bool = True) -> None:
    name, label = button
    page.click(f"button[name={name}]")
    page.locator(".modal").get_by_role("button", name=label if confirmed else "Not yet").click()
    expect(page.locator(".modal")).to_have_count(0)


def expect_told(page: Page, text: str) -> None:
    """See that the answer was taken and that nothing asks any more."""
    expect(page.locator(".o_notification", has_text=text)).to_be_visible()
    expect(question(page)).to_be_hidden()
    expect(page.locator("[name=nameko_broker]")).to_be_visible()
    expect(page.locator(COUNTER)).to_have_count(0)


def test_jobs_of_an_original_go_on(asked: Page, world: World, relay: Process):
    identity = world.identity
    for button in (MOVED, COPY):
        press(asked, button, confirmed=False)
        expect(question(asked)).to_be_visible()
    assert world.states() == UNTOUCHED
    press(asked, MOVED)
    expect_told(asked, "This is the original: its jobs go on.")
    assert world.sql(ACTIVITIES) == [(0,)]
    relay.wait_for_log("The relay serves")
    world.start_service()
    assert world.wait_until_finished() == {"done": 20}
    assert world.hits() == {1: 20}
    assert world.identity == identity


def test_jobs_of_a_copy_are_cancelled(asked: Page, address: str, world: World, relay: Process):
    identity = world.identity
    late = asked.context.new_page()
    open_settings(late, address)
    expect(question(late)).to_be_visible()
    press(asked, COPY)
    expect_told(asked, "This is a copy: the jobs of its original were cancelled here.")
    assert world.states() == {"cancelled": 20}
    assert world.sql(ACTIVITIES) == [(0,)]
    relay.wait_for_log("The relay serves")
    own = world.identity
    assert own != identity
    press(late, MOVED)
    expect_told(late, "Somebody else has already answered. Nothing was changed.")
    assert world.identity == own
    world.start_service()
    world.make(5)
    assert world.wait_until_finished() == {"cancelled": 20, "done": 5}
