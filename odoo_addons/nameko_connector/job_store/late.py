"""Retry or fail the jobs whose deadline has passed."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from .dispatch import retry_later
from .monitoring.attempts import note_unanswered
from .rows import NOW, SENDINGS, Cursor, Lost

BATCH = 500  # jobs at a time


def due_moment(cr: Cursor) -> datetime | None:
    """Return the current time of the database if a job's deadline has passed, else None."""
    cr.execute(  # pylint: disable=sql-injection
        f"SELECT {NOW}, EXISTS (SELECT FROM nameko_job"  # noqa: S608  constants
        f" WHERE state = 'sent' AND deadline <= {NOW})"
    )
    moment, is_due = cr.fetchone()
    return moment if is_due else None


def retry_unroutable(cr: Cursor) -> int:
    """Retry jobs that no queue took: they cannot have an answer."""
    return _retry_due(cr, f"deadline <= {NOW} AND error_type = 'UnknownService'", {})


def retry_due(cr: Cursor, moment: datetime, answered: Collection[str]) -> int:
    """Retry jobs whose deadline had passed at this moment; return how many.

    :param answered: uuids of jobs to skip, because this relay has their answers
    """
    values = {"moment": moment, "answered": list(answered)}
    return _retry_due(cr, "deadline <= %(moment)s AND uuid <> ALL(%(answered)s)", values)


def _retry_due(cr: Cursor, condition: str, values: dict[str, object]) -> int:
    cr.execute(
        f"SELECT id FROM nameko_job WHERE state = 'sent' AND {condition}"  # noqa: S608  constants
        " AND attempts < max_attempts ORDER BY deadline LIMIT %(most)s"
        " FOR NO KEY UPDATE SKIP LOCKED",
        {**values, "most": BATCH},
    )
    ids = [job_id for (job_id,) in cr.fetchall()]
    retry_unanswered(cr, ids)
    return len(ids)


def retry_unanswered(cr: Cursor, job_ids: Sequence[int]) -> None:
    """Store the last attempt of these jobs, which had no answer; schedule the next one."""
    note_unanswered(cr, job_ids)
    retry_later(cr, job_ids)


def lost(cr: Cursor, moment: datetime, answered: Collection[str]) -> list[Lost]:
    """Return jobs without further attempts whose deadline had passed at this moment.

    :param answered: uuids of jobs to skip, because this relay has their answers or is failing them
    """
    cr.execute(
        f"SELECT uuid, {SENDINGS} FROM nameko_job"  # noqa: S608  constants
        " WHERE state = 'sent' AND deadline <= %s"
        " AND attempts >= max_attempts AND uuid <> ALL(%s) ORDER BY deadline LIMIT %s"
        " FOR NO KEY UPDATE SKIP LOCKED",
        [moment, list(answered), BATCH],
    )
    return [Lost(uuid, "timeout", attempt) for uuid, attempt in cr.fetchall()]
