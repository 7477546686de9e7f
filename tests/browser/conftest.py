"""Fixtures of the tests in a browser."""

import pytest

from tests.browser.buttons.every_button import Database
from tests.conftest import Stack


@pytest.fixture
def database(stack: Stack) -> Database:
    """The stack's database, without computations, jobs and batches."""
    database = Database(stack.database, stack.web_client())
    database.empty()
    return database
