"""The service and the addon of docs/first_addon.md, as a reader copies them."""

import re
import runpy
from collections.abc import Iterator
from pathlib import Path

import pytest
from nameko.testing.services import worker_factory

from stack.layout import CHECKOUT
from tests.databases import copy_installed, run_outside
from tests.odoo_process import OdooProcess

DATABASE = "nameko_first_addon_test"
BLOCK = re.compile(r"^```\w+\n(?:# |<!-- )~/(\S+)(?: -->)?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CSV = re.compile(r"^```csv\n(.*?)^```\n\nis `~/(\S+)`", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The reader's home, with the page's files."""
    home = tmp_path_factory.mktemp("home")
    page = (CHECKOUT / "docs" / "first_addon.md").read_text()
    files = dict(BLOCK.findall(page)) | {path: text for text, path in CSV.findall(page)}
    for path, text in files.items():
        (home / path).parent.mkdir(parents=True, exist_ok=True)
        (home / path).write_text(text)
    return home


@pytest.fixture
def database() -> Iterator[str]:
    run_outside("DROP DATABASE IF EXISTS {} WITH (FORCE)", DATABASE)
    copy_installed(DATABASE)
    yield DATABASE
    run_outside("DROP DATABASE IF EXISTS {} WITH (FORCE)", DATABASE)


def test_service(home: Path):
    service = worker_factory(runpy.run_path(str(home / "pricing.py"))["PricingService"])
    assert service.quote(7, 100, rush=True) == 37.5
    with pytest.raises(ValueError, match="too long"):
        service.quote(7, 10_001)


def test_addon_and_its_tests(stack, home: Path, database: str):
    tests = ["-i", "engraving", "--test-tags=/engraving", "--stop-after-init"]
    odoo = OdooProcess(database, tests, [home / "my-addons"], {})
    assert odoo.wait() == 0, odoo.output[-3000:]
    assert odoo.logged("0 failed, 0 error(s) of 3 tests"), odoo.output[-3000:]
