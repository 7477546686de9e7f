"""Jobs that must fail, each with a known error, without an effect on any other job."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.jobs.world import World

ONCE = {"max_attempts": 1, "timeout": 3600}


@dataclass(frozen=True)
class Poison:
    """A kind of job that must fail.

    errors: the types of error that it may fail with, any if empty; is_told: its record's on_error
    is called; that is not sure for a reply that arrived but could not be written
    """

    name: str
    service: str
    method: str
    errors: frozenset[str]
    is_told: bool = True

    def request(self) -> dict[str, Any]:
        return {
            "poison": self.name,
            "service": self.service,
            "method": self.method,
            "options": ONCE,
        }


def poison(name: str, method: str, *errors: str, is_told: bool = True) -> Poison:
    service, _, method = method.partition(".")
    return Poison(name, service, method, frozenset(errors), is_told)


POISONS = [
    poison("kills its service", "probe.die", "RequestGivenUp"),
    poison("raises", "probe.fail", "ValueError"),
    poison("raises without our container", "plain_probe.fail", "ValueError"),
    poison("has a result that is too large", "probe.too_large", "ResultTooLarge"),
    poison("has a result that is too deep", "probe.deep", "UnserializableValueError"),
    poison("has no method", "probe.nothing", "UnknownMethod"),
    poison("is answered with garbage", "rogue.garbled", "UncertainOutcome"),
    poison("is answered with what is hard to keep", "rogue.hostile", is_told=False),
    poison("is answered with odd properties", "rogue.odd", "UncertainOutcome"),
]


def problems(world: World) -> list[str]:
    """Describe the poison jobs that did not fail with their error, or called on_error twice."""
    rows = world.sql(
        "SELECT probe.poison, job.state, job.error_type, coalesce(job.error_message, ''),"
        " probe.failures, count(*)"
        " FROM nameko_job job JOIN nameko_job_probe probe ON probe.id = job.res_id"
        " WHERE probe.poison IS NOT NULL GROUP BY 1, 2, 3, 4, 5"
    )
    wanted = {each.name: each for each in POISONS}
    return [f"{count} of {row}" for *row, count in rows if not _is_right(wanted[row[0]], row)]


def _is_right(kind: Poison, row: list[Any]) -> bool:
    _, state, error, message, failures = row
    expected = not kind.errors or error in kind.errors
    told = failures == 1 if kind.is_told else failures in (None, 0, 1)
    return state == "failed" and bool(error and message) and expected and told


def summary(world: World) -> Mapping[str, int]:
    """Count the poison jobs by kind and error."""
    rows = world.sql(
        "SELECT probe.poison || ': ' || coalesce(job.error_type, job.state), count(*)"
        " FROM nameko_job job JOIN nameko_job_probe probe ON probe.id = job.res_id"
        " WHERE probe.poison IS NOT NULL GROUP BY 1 ORDER BY 1"
    )
    return dict(rows)
