"""Measures OCA's queue_job with four workers and a job that adds and writes a field itself."""

import configparser
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg2

from stack.layout import CACHE, CHECKOUT
from stack.ports import reserve
from tests.waiting import wait_until

DATABASE = "nameko_queue_job_bench"
PACKAGES = ("odoo-addon-queue-job==19.0.*", "openupgradelib")
FOLDER = CACHE / "queue_job"
HERE = Path(__file__).parent
WORKERS = 4
MAKE = """
import sys, time
records = env["queue.job.probe"].create([{{"number": n}} for n in range({count})])
started = time.time()
for record in records:
    record.with_delay().add_one()
env.cr.commit()
print("STARTED", started)
"""


def jobs_per_second(count: int) -> float:
    """Return jobs per second, from their creation in Odoo until all results are written."""
    _fetch()
    _install()
    with _server():
        started = _make(count)
        query = "SELECT count(*) FROM queue_job_probe WHERE result IS NULL OR result = 0"
        wait_until(lambda: _ask(query) == 0, seconds=1200)
        return count / (time.time() - started)


def _fetch() -> None:
    """Install queue_job from the package index, without `odoo`, which the index does not have."""
    if not FOLDER.exists():
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
        subprocess.run([*pip, "--target", str(FOLDER), *PACKAGES], check=True)


def _options() -> list[str]:
    parser = configparser.RawConfigParser()
    parser.read(os.environ["ODOO_RC"])
    known = parser["options"]["addons_path"]
    paths = [known, str(FOLDER / "odoo" / "addons"), str(HERE / "queue_job_addons")]
    return ["-c", os.environ["ODOO_RC"], "-d", DATABASE, f"--addons-path={','.join(paths)}"]


def _environment(port: int = 0) -> dict[str, str]:
    return {
        **os.environ,
        "PYTHONPATH": str(FOLDER),
        "ODOO_QUEUE_JOB_CHANNELS": f"root:{WORKERS}",
        "ODOO_QUEUE_JOB_HOST": "127.0.0.1",
        "ODOO_QUEUE_JOB_PORT": str(port),
    }


def _install() -> None:
    command = [sys.executable, "-m", "odoo", "server", *_options(), "--stop-after-init"]
    modules = ["--no-http", "-i", "queue_job_probe"]
    subprocess.run([*command, *modules], env=_environment(), check=True, stderr=subprocess.DEVNULL)
    _ask("TRUNCATE queue_job, queue_job_probe CASCADE")


@contextmanager
def _server() -> Iterator[None]:
    port = reserve()
    command = ["setpriv", "--pdeathsig", "TERM", sys.executable, "-m", "odoo", "server"]
    options = [f"--http-port={port}", f"--gevent-port={reserve()}", f"--workers={WORKERS}"]
    options += ["--load=base,web,queue_job", f"--db-filter=^{DATABASE}$", "--max-cron-threads=0"]
    log = (CHECKOUT / "build" / "queue_job.log").open("w")
    server = subprocess.Popen(
        [*command, *_options(), *options], env=_environment(port), stderr=log, stdout=log
    )
    try:
        wait_until(lambda: "jobrunner" in Path(log.name).read_text(), seconds=60)
        yield
    finally:
        server.terminate()
        server.wait()
        log.close()


def _make(count: int) -> float:
    """Create records and their jobs; return when that began."""
    command = [sys.executable, "-m", "odoo", "shell", *_options(), "--no-http"]
    shell = subprocess.run(
        command,
        input=MAKE.format(count=count),
        env=_environment(),
        text=True,
        capture_output=True,
        check=True,
    )
    (line,) = (line for line in shell.stdout.splitlines() if line.startswith("STARTED"))
    return float(line.split()[1])


def _ask(statement: str) -> int | None:
    connection = psycopg2.connect(dbname=DATABASE)
    with connection, connection.cursor() as cursor:
        cursor.execute(statement)
        row = cursor.fetchone() if cursor.description else None
    connection.close()
    return int(row[0]) if row else None
