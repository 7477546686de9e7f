"""An admin tries the services from the nameko shell."""

import re
import sys
from collections.abc import Iterator

import pexpect
import pytest

PROMPT = r">>> "


@pytest.fixture
def shell(stack) -> Iterator[pexpect.spawn]:
    shell = pexpect.spawn(
        sys.executable, ["-m", "stack", "shell"], encoding="utf-8", timeout=30, dimensions=(40, 200)
    )
    shell.expect(PROMPT)
    yield shell
    shell.sendline("quit()")
    shell.expect(pexpect.EOF)
    shell.close()
    assert shell.exitstatus == 0


def answer(shell: pexpect.spawn, expression: str) -> str:
    shell.sendline(expression)
    shell.expect(re.escape(expression) + r"\r\n(.*?)\r\n" + PROMPT)
    return shell.match.group(1).strip()


def test_shell_calls_a_method(shell):
    assert answer(shell, "n.rpc.compute.method(99999, 99999)") == "199998"


def test_shell_calls_a_method_asynchronously(shell):
    assert answer(shell, "n.rpc.compute.method.call_async(99999, 99999).result()") == "199998"
