"""The world of the jobs' tests."""

from tests.jobs.conftest import jobs_database, world

__all__ = ["jobs_database", "world"]
