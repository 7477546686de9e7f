"""Lock the jobs that are published next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ...tools.job_request import ResultsAs
from ..rows import READY, SENDINGS, Cursor

# The results of a job's predecessors, as JSON, in order; NULL if it has none.
RESULTS_BEFORE = """
    (SELECT array_agg(earlier.result ORDER BY link.sequence)
       FROM nameko_job_predecessor link JOIN nameko_job earlier ON earlier.id = link.predecessor_id
      WHERE link.job_id = job.id)
"""
# The total size of these results, in bytes.
SIZE_BEFORE = """
    (SELECT sum(octet_length(earlier.result) + 2)
       FROM nameko_job_predecessor link JOIN nameko_job earlier ON earlier.id = link.predecessor_id
      WHERE link.job_id = job.id AND job.results_as <> 'nothing')
"""


class Lane(NamedTuple):
    """Ready jobs of a service that are claimed together, at most `most`.

    methods: those that may be claimed, and how many jobs of each at most; None for all jobs.
    """

    service: str
    most: int
    methods: Mapping[str, int] | None = None


@dataclass(frozen=True)
class Claimed:
    """A job locked by this transaction, to be published.

    has_key: whether it has a limit key; size: the approximate size of the message body, in bytes;
    arguments, results_before: None if that is too large.
    """

    id: int
    uuid: str
    service: str
    method: str
    arguments: str | None
    user_id: int
    company_id: int
    language: str | None
    timeout: float
    sendings: int
    sendings_before: int | None
    results_as: ResultsAs
    has_key: bool
    size: int
    results_before: Sequence[str] | None


COMPUTED = ("arguments", "sendings", "has_key", "size", "results_before")
CLAIMED = [name for name in Claimed.__annotations__ if name not in COMPUTED]
OF_SERVICE_ITSELF = f"""
         WHERE {READY} AND service = %(service)s
         ORDER BY priority, id LIMIT %(most)s FOR NO KEY UPDATE SKIP LOCKED
"""
# The array makes PostgreSQL find the candidates first, in the index of each method.
OF_METHODS = f"""
         WHERE {READY} AND id = ANY(ARRAY(
               SELECT next.id FROM unnest(%(methods)s::text[], %(rooms)s::int[]) AS open(name, room)
                CROSS JOIN LATERAL (
                      SELECT id, priority FROM nameko_job
                       WHERE {READY} AND service = %(service)s AND method = open.name
                       ORDER BY priority, id LIMIT open.room) next
                ORDER BY next.priority, next.id LIMIT %(most)s))
         ORDER BY priority, id FOR NO KEY UPDATE SKIP LOCKED
"""  # noqa: S608  constants
CLAIM = f"""
    WITH locked AS MATERIALIZED (
        SELECT {", ".join(CLAIMED)}, arguments, {SENDINGS} AS sendings, priority,
               limit_key IS NOT NULL AS has_key FROM nameko_job
        <wanted>),
    sized AS MATERIALIZED (
        SELECT *, octet_length(arguments) + coalesce({SIZE_BEFORE}, 0) AS size
          FROM locked job),
    counted AS (
        SELECT *, sum(CASE WHEN size <= %(most_size)s THEN size ELSE 0 END) OVER earlier
                  AS before
          FROM sized
        WINDOW earlier AS (
            ORDER BY priority, id ROWS UNBOUNDED PRECEDING EXCLUDE CURRENT ROW))
    SELECT {", ".join(CLAIMED)}, CASE WHEN size <= %(most_size)s THEN arguments END,
           sendings, has_key, size,
           CASE WHEN size <= %(most_size)s THEN {RESULTS_BEFORE} END
      FROM counted job WHERE coalesce(before, 0) < %(most_bytes)s ORDER BY priority, id
"""  # noqa: S608  constants
CLAIM_SERVICE = CLAIM.replace("<wanted>", OF_SERVICE_ITSELF)
CLAIM_METHODS = CLAIM.replace("<wanted>", OF_METHODS)


def claim(cr: Cursor, lane: Lane, most_bytes: int, most_size: int) -> list[Claimed]:
    """Lock ready jobs of a lane, by priority and age, and return them.

    :param most_bytes: the total size after which no further job is returned
    :param most_size: the largest message body of one job, in bytes
    """
    methods = lane.methods or {}
    if not (methods or lane.methods is None):
        return []
    cr.execute(
        CLAIM_SERVICE if lane.methods is None else CLAIM_METHODS,
        {
            "service": lane.service,
            "most": lane.most,
            "methods": list(methods),
            "rooms": list(methods.values()),
            "most_bytes": most_bytes,
            "most_size": most_size,
        },
    )
    names = [*CLAIMED, *COMPUTED]
    rows = [dict(zip(names, row, strict=True)) for row in cr.fetchall()]
    return [Claimed(**{**row, "size": int(row["size"])}) for row in rows]
