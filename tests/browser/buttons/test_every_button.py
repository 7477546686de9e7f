"""Each button of the addon is pressed, in lists on 500 records at once, and keeps its word."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.buttons.batch_presses import BatchPresses, FailurePresses
from tests.browser.buttons.every_button import Database, Key, buttons
from tests.browser.buttons.job_presses import ComputationPresses
from tests.browser.buttons.service_presses import ServicePresses
from tests.conftest import Stack


@pytest.fixture
def database(stack: Stack) -> Iterator[Database]:
    """The stack's database without computations and jobs."""
    database = Database(stack.database, stack.web_client())
    database.empty()
    yield database
    database.empty()


class Presser(ComputationPresses, BatchPresses, FailurePresses, ServicePresses):
    """All presses."""


PRESSES: dict[Key, Callable[[Presser], None]] = {
    ("nameko.compute", "form", "action_suma"): Presser.form_sum,
    ("nameko.compute", "form", "action_compute"): Presser.form_compute,
    ("nameko.compute", "form", "action_compute_later"): Presser.form_later,
    ("nameko.compute", "form", "action_nameko_jobs"): Presser.form_jobs,
    ("nameko.compute", "form", "action_nameko_cancel"): Presser.record_cancel,
    ("nameko.compute", "list", "action_suma"): Presser.list_sum,
    ("nameko.compute", "list", "action_compute"): Presser.list_compute,
    ("nameko.compute", "menu", "nameko_compute_server_action_suma"): Presser.menu_sum,
    ("nameko.compute", "menu", "nameko_compute_server_action_compute"): Presser.menu_compute,
    ("nameko.compute", "menu", "nameko_compute_server_action_later"): Presser.menu_later,
    ("nameko.job", "form", "action_retry"): Presser.form_retry,
    ("nameko.job", "form", "action_apply_again"): Presser.form_apply,
    ("nameko.job", "form", "action_cancel"): Presser.form_cancel,
    ("nameko.job", "form", "action_open_record"): Presser.form_open_record,
    ("nameko.job", "list", "action_cancel"): Presser.list_cancel,
    ("nameko.job", "form", "nameko_job_reschedule_action"): Presser.form_reschedule,
    ("nameko.job", "menu", "nameko_job_server_action_retry"): Presser.menu_retry,
    ("nameko.job", "menu", "nameko_job_server_action_apply"): Presser.menu_apply,
    ("nameko.job", "menu", "nameko_job_reschedule_action"): Presser.menu_reschedule,
    ("nameko.job", "form", "nameko_job_retry_action"): Presser.form_retry_with_others,
    ("nameko.job.retry", "form", "action_retry"): Presser.form_retry_with_others,
    ("nameko.job.retry", "form", "cancel"): Presser.retry_discard,
    ("nameko.batch", "form", "action_retry"): Presser.form_batch_retry,
    ("nameko.batch", "form", "action_cancel"): Presser.form_batch_cancel,
    ("nameko.batch", "form", "action_show_jobs"): Presser.form_batch_jobs,
    ("nameko.batch", "list", "action_retry"): Presser.list_batch_retry,
    ("nameko.batch", "list", "action_cancel"): Presser.list_batch_cancel,
    ("nameko.failure", "form", "action_retry"): Presser.form_failures_retry,
    ("nameko.failure", "form", "action_cancel"): Presser.form_failures_cancel,
    ("nameko.failure", "form", "action_ignore"): Presser.form_failures_ignore,
    ("nameko.failure", "form", "action_stop_ignoring"): Presser.form_failures_heed,
    ("nameko.failure", "form", "action_show_jobs"): Presser.form_failures_jobs,
    ("nameko.failure", "list", "action_retry"): Presser.list_failures_retry,
    ("nameko.failure", "list", "action_ignore"): Presser.list_failures_ignore,
    ("nameko.job.reschedule", "form", "action_reschedule"): Presser.form_reschedule,
    ("nameko.job.reschedule", "form", "cancel"): Presser.reschedule_discard,
    ("ir.actions.server", "form", "action_nameko_try"): Presser.action_try,
    ("ir.actions.server", "form", "create_action"): Presser.add_to_menu,
    ("ir.actions.server", "form", "unlink_action"): Presser.remove_from_menu,
    ("nameko.action.trial", "form", "action_try"): Presser.trial_try,
    ("nameko.action.trial", "form", "cancel"): Presser.trial_close,
    ("nameko.service", "form", "action_refresh_queue"): Presser.refresh_queue,
    ("nameko.service", "form", "action_show_jobs"): Presser.service_jobs,
    ("nameko.service", "form", "action_dead_letters"): Presser.letters,
    ("nameko.service", "form", "action_show_policies"): Presser.service_policies,
    ("nameko.service", "form", "action_pause"): Presser.service_pause,
    ("nameko.service", "form", "action_resume"): Presser.service_resume,
    ("nameko.policy.pause", "form", "action_pause"): Presser.service_pause,
    ("nameko.policy.pause", "form", "cancel"): Presser.pause_discard,
    ("nameko.dead.letter", "form", "action_send_again"): Presser.letter_send,
    ("nameko.dead.letter", "form", "action_drop"): Presser.letter_drop,
    ("nameko.dead.letter", "list", "action_send_again"): Presser.letters_send,
    ("nameko.dead.letter", "list", "action_drop"): Presser.letters_drop,
    ("nameko.service", "form", "action_try"): Presser.service_try,
    ("nameko.service", "form", "action_make_action"): Presser.service_make_action,
    ("nameko.method", "form", "action_try"): Presser.method_try,
    ("nameko.method", "form", "action_make_action"): Presser.method_make_action,
    ("nameko.method.trial", "form", "action_try"): Presser.service_try,
    ("nameko.method.trial", "form", "cancel"): Presser.method_close,
    ("res.config.settings", "form", "action_nameko_test_connection"): Presser.connection,
}


# Shown only while the database asks, when nothing else works: test_moved_database.py presses them.
ASKING = {
    ("res.config.settings", "form", "action_nameko_moved"),
    ("res.config.settings", "form", "action_nameko_copy"),
}


def test_every_button_is_pressed_below(database: Database):
    assert buttons(database) == PRESSES.keys() | ASKING


@pytest.mark.parametrize("key", PRESSES, ids="-".join)
def test_button(key: Key, tab: Page, database: Database, stack: Stack):
    PRESSES[key](Presser(tab, database, stack.odoo_url))
    expect(tab.locator(".o_error_dialog")).to_have_count(0)
