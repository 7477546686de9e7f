"""The sysadmin's page says all that there is to say."""

import re

from stack.layout import CHECKOUT
from tests.processes import CONFIG


def test_every_key_is_documented():
    page = (CHECKOUT / "docs" / "services.md").read_text()
    names = set(re.findall(r"\$\{(\w+)(?=[:}])", CONFIG.read_text())) - {"NAME"}
    assert len(names) > 25
    assert [name for name in sorted(names) if f"`{name}`" not in page] == []
