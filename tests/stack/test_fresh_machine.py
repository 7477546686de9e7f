"""The stack's PostgreSQL starts on a machine that has only the accounts of a fresh Debian."""

import subprocess
import sys
from pathlib import Path

from stack.layout import CHECKOUT

FRESH = """root:x:0:0:root:/root:/bin/bash
daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
"""
INITDB = """
import subprocess, sys
from stack.install import programs
from stack.settings import not_as_root
password, cluster = sys.argv[1:]
found = programs.postgres()
environment = {"LD_LIBRARY_PATH": found.libraries, "PATH": "/usr/bin:/bin"}
initdb = [*not_as_root(), f"{found.folder}/initdb", "--auth=scram-sha-256", "--username=postgres"]
files = [f"--pwfile={password}", f"--pgdata={cluster}"]
subprocess.run([*initdb, *files], check=True, env=environment)
"""


def test_the_cluster_is_made_without_an_account_of_uid_1000(tmp_path: Path) -> None:
    passwd, password, cluster = tmp_path / "passwd", tmp_path / "password", tmp_path / "cluster"
    passwd.write_text(FRESH)
    password.write_text("secret")
    script = 'mount --bind "$1" /etc/passwd && shift && exec "$@"'
    python = [sys.executable, "-c", INITDB, str(password), str(cluster)]
    subprocess.run(
        [
            "unshare",
            "--user",
            "--map-root-user",
            "--mount",
            "bash",
            "-c",
            script,
            "bash",
            str(passwd),
            *python,
        ],
        cwd=CHECKOUT,
        check=True,
    )
    assert (cluster / "PG_VERSION").exists()
