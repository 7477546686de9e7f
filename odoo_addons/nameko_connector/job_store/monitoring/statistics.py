"""Statistics for the overview, in small tables, so that it need not count the jobs themselves.

Each transaction that ends jobs adds rows to `nameko_job_minute`: how many jobs of a service ended
in a minute, in which state, and how long they waited and ran. These rows are never updated, so no
transaction waits for another one. Once the minute is over, a relay merges them. From time to time
a relay also counts the jobs that have not ended, by service, into `nameko_job_count`.

Durations are stored as bucket numbers: bucket n is for 2^(n/2) to 2^((n+1)/2) ms. So a quantile is
at most 19 % from the true one. HDR histograms and Prometheus's native histograms work like this.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from ..rows import NOW, READY, Cursor

PER_OCTAVE = 2  # buckets between a time and twice that time
MOST_BUCKET = 120  # 2^60 ms
MINUTES = 60  # that are kept, and shown
LATE_SECONDS = 15  # after a minute, for its last rows
MOST_MERGED = 50_000  # rows at a time


def _bucket(seconds: str) -> str:
    """Return the SQL for the bucket of a duration; NULL for a job that was not sent."""
    milliseconds = f"least(greatest(1000 * {seconds}, 1), 2.0 ^ {MOST_BUCKET // PER_OCTAVE})"
    bucket = f"floor({PER_OCTAVE} * log(2.0, ({milliseconds})::numeric))::int"
    return f"CASE WHEN {seconds} IS NOT NULL THEN {bucket} END"


ADD = f"""
    INSERT INTO nameko_job_minute (service, minute, state, waited, ran, jobs, is_merged)
    SELECT service, date_trunc('minute', done_at), state,
           {_bucket("waited")}, {_bucket("seconds")},
           count(*), false
      FROM nameko_job WHERE id = ANY(%s) AND done_at IS NOT NULL GROUP BY 1, 2, 3, 4, 5
"""  # noqa: S608  constants


def add_finished(cr: Cursor, job_ids: Collection[int]) -> None:
    """Add rows for jobs that end in the current transaction."""
    if job_ids:
        cr.execute(ADD, [list(job_ids)])


def merge_minutes(cr: Cursor) -> None:
    """Merge the rows of past minutes, and delete those older than MINUTES."""
    cr.execute(
        f"""
        WITH taken AS (
            DELETE FROM nameko_job_minute WHERE id IN (
                SELECT id FROM nameko_job_minute
                 WHERE NOT is_merged
                   AND minute < {NOW} - interval '1 minute' - interval '1 second' * %s
                 ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED)
            RETURNING service, minute, state, waited, ran, jobs)
        INSERT INTO nameko_job_minute (service, minute, state, waited, ran, jobs, is_merged)
        SELECT service, minute, state, waited, ran, sum(jobs), true
          FROM taken GROUP BY 1, 2, 3, 4, 5
        """,  # noqa: S608  constants
        [LATE_SECONDS, MOST_MERGED],
    )
    cr.execute(
        f"""
        DELETE FROM nameko_job_minute WHERE id IN (
            SELECT id FROM nameko_job_minute WHERE minute < {NOW} - interval '1 minute' * %s
             LIMIT %s FOR UPDATE SKIP LOCKED)
        """,  # noqa: S608  constants
        [MINUTES + 1, MOST_MERGED],
    )


# By service; the row with an empty name counts all services.
COUNT = f"""
    WITH live AS (
        SELECT coalesce(service, '') AS service, count(*) FILTER (WHERE kind = 'ready') AS waiting,
               count(*) FILTER (WHERE kind = 'later') AS later,
               count(*) FILTER (WHERE kind = 'sent') AS running, min(ready_at) AS oldest_at
          FROM (SELECT service, 'ready' AS kind, greatest(create_date, eta) AS ready_at
                  FROM nameko_job WHERE {READY}
                UNION ALL
                SELECT service, 'later', NULL FROM nameko_job
                 WHERE state = 'pending' AND NOT is_ready AND NOT is_waiting
                UNION ALL
                SELECT service, 'later', NULL FROM nameko_job
                 WHERE state = 'pending' AND is_waiting
                UNION ALL
                SELECT service, 'sent', NULL FROM nameko_job WHERE state = 'sent') job
         GROUP BY GROUPING SETS ((service), ())),
    gone AS (DELETE FROM nameko_job_count WHERE service NOT IN (SELECT service FROM live))
    INSERT INTO nameko_job_count (service, waiting, later, running, oldest_at, seen, counted_at)
    SELECT service, waiting, later, running, oldest_at,
           (SELECT max(id) FROM nameko_job_minute), {NOW}
      FROM live
        ON CONFLICT (service) DO UPDATE
       SET waiting = excluded.waiting, later = excluded.later, running = excluded.running,
           oldest_at = excluded.oldest_at, seen = excluded.seen,
           counted_at = excluded.counted_at
"""  # noqa: S608  constants
COUNTS = """
    SELECT array_agg((service, waiting, later, running, seen)::text ORDER BY service)
      FROM nameko_job_count
"""


def count_live(cr: Cursor) -> bool:
    """Count the jobs that have not ended.

    Return whether the counts have changed, or jobs have ended, since the last count.
    """
    cr.execute(COUNTS)
    before = cr.fetchone()
    cr.execute(COUNT)
    cr.execute(COUNTS)
    return bool(cr.fetchone() != before)


def is_busy(cr: Cursor) -> bool:
    """Return whether a job was ready or running at the last count."""
    cr.execute("SELECT coalesce(sum(waiting + running), 0) > 0 FROM nameko_job_count")
    return bool(cr.fetchone()[0])


class Quantiles(NamedTuple):
    """Median and 95th percentile in seconds; None without jobs."""

    p50: float | None = None
    p95: float | None = None


@dataclass
class Ended:
    """The number of ended jobs by state, and by bucket of waiting and running time."""

    states: Counter[str] = field(default_factory=Counter)
    waited: Counter[int] = field(default_factory=Counter)
    ran: Counter[int] = field(default_factory=Counter)


# Each row has a service or a minute, and a state or a bucket.
LAST_HOUR = f"""
    SELECT service, minute, state, waited, ran, sum(jobs)::int
      FROM nameko_job_minute
     WHERE minute > {NOW} - interval '1 minute' * %s
     GROUP BY GROUPING SETS ((service, state), (service, waited), (service, ran),
                             (minute, state), (minute, waited), (minute, ran))
"""  # noqa: S608  constants


def last_hour(cr: Cursor) -> tuple[dict[str, Ended], dict[datetime, Ended]]:
    """Return the jobs that ended in the last hour, by service and by minute."""
    cr.execute(LAST_HOUR, [MINUTES])
    services: dict[str, Ended] = defaultdict(Ended)
    minutes: dict[datetime, Ended] = defaultdict(Ended)
    for service, minute, state, waited, ran, jobs in cr.fetchall():
        ended = minutes[minute] if service is None else services[service]
        if state is not None:
            ended.states[state] += jobs
        elif waited is not None:
            ended.waited[waited] += jobs
        elif ran is not None:
            ended.ran[ran] += jobs
    return dict(services), dict(minutes)


def quantiles(buckets: Mapping[int, int]) -> Quantiles:
    """Return the quantiles of durations from the number of jobs in each bucket."""
    return Quantiles(_quantile(buckets, 0.5), _quantile(buckets, 0.95))


def _quantile(buckets: Mapping[int, int], share: float) -> float | None:
    left = share * sum(buckets.values())
    for bucket in sorted(buckets):
        left -= buckets[bucket]
        if left <= 0:
            return math.exp2((bucket + 0.5) / PER_OCTAVE) / 1000  # the middle of the bucket
    return None
