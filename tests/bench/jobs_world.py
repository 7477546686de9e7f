"""The world for benchmarks of jobs: a database, a virtual host, and a service that adds."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from odoo.tools import config

from tests.jobs.world import World, empty_world, install, odoo_options
from tests.processes import nameko_run
from tests.waiting import wait_until

HERE = Path(__file__).parent
JOBS = 5_000
MAX_WORKERS = "100"  # what docs/services.md advises for light methods


def prepare() -> None:
    """Create the database, and configure Odoo in this process for it."""
    install()
    config.parse_config(odoo_options())


@contextlib.contextmanager
def open_world() -> Iterator[World]:
    """Yield an empty database and a virtual host, with the adder run as in production."""
    config_file = HERE.parents[1] / "services" / "config.yaml"
    command = nameko_run("tests.bench.adder_service", config=config_file)
    with empty_world() as world:
        world.start("adder", command, MAX_WORKERS=MAX_WORKERS)
        wait_until(lambda: world.vhost.consumers("rpc-bench_adder") > 0)
        yield world


def make_jobs(world: World, count: int, addend: int = 1, first: int = 0, *, keys: int = 0) -> None:
    """Create a job for each of so many existing records, from `first` on, in one transaction.

    The result for the record number n, from 0, is n + addend. keys: of so many limit keys.
    """
    with world.env(user=2) as env:
        from odoo.addons.nameko_connector.tools.job_request import JobOptions, JobRequest  # noqa: PLC0415

        records = env["nameko.job.probe"].search([], limit=count, offset=first)
        options = [
            JobOptions(
                record=record,
                result_field="result",
                limit_key=f"key-{number % keys}" if keys else None,
            )
            for number, record in enumerate(records)
        ]
        env["nameko.rpc"].delay_many(
            JobRequest("bench_adder", "add", (number, addend), {}, each)
            for number, each in enumerate(options, first)
        )


def make_records(world: World, count: int) -> None:
    """Create so many records for jobs."""
    with world.env(user=2) as env:
        env["nameko.job.probe"].create([{"number": number} for number in range(count)])


def wait_until_done(world: World, jobs: int) -> None:
    """Wait until so many jobs are done."""
    wait_until(lambda: world.states().get("done", 0) >= jobs, seconds=300)


def wait_until_idle(world: World, seconds: float = 900) -> None:
    """Wait until no job is waiting or running."""
    query = "SELECT EXISTS (SELECT FROM nameko_job WHERE state = 'pending')"
    query += " OR EXISTS (SELECT FROM nameko_job WHERE state = 'sent')"
    wait_until(lambda: world.sql(query) == [(False,)], seconds=seconds)
