"""Fixtures for both kinds of Odoo server: with threads, and with processes (prefork)."""

from collections.abc import Iterator

import pytest

from tests.conftest import Stack
from tests.odoo_process import OdooProcess, running_odoo


@pytest.fixture(scope="module")
def prefork(stack: Stack) -> Iterator[OdooProcess]:
    """An Odoo with two worker processes on the stack's database."""
    with running_odoo(stack.database, workers=2) as odoo:
        yield odoo


@pytest.fixture(params=["threaded", "prefork"])
def server(request, stack: Stack):
    """The stack's threaded Odoo, or the prefork one; both have `web_client`."""
    return stack if request.param == "threaded" else request.getfixturevalue("prefork")
