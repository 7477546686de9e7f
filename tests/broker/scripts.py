"""Runs Python scripts in processes of their own, outside the process of the tests."""

import subprocess
import sys

from stack.layout import CHECKOUT

PREAMBLE = """
import sys
sys.path.insert(0, "odoo_addons/nameko_connector")
"""


def run_script(source: str, *arguments: str) -> str:
    """Run Python source and return its output; raise an error if it fails or takes over 60 s."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PREAMBLE + source, *arguments],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
