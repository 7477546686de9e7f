"""Store the failed attempts of jobs. Successful attempts are not stored."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from typing import Any

from ...tools.texts import clean
from ..rows import NOW, SENDINGS, Cursor, Row, describe

MOST_TEXT = 10_000  # characters of a message, or a traceback


def note_failed(cr: Cursor, failed: Collection[tuple[Row, Exception]]) -> None:
    """Store the last attempt of these jobs with its error."""
    if not failed:
        return
    cr.execute(
        f"""
        INSERT INTO nameko_job_attempt (
               job_id, number, sent_at, ended_at, error_type, error_message, instance, traceback)
        SELECT job.id, {SENDINGS}, sent_at, {NOW},
               failed.error_type, failed.error_message, failed.instance, failed.traceback
          FROM json_to_recordset(%s) AS failed(
                   id int, error_type text, error_message text, instance text, traceback text)
          JOIN nameko_job job ON job.id = failed.id
        """,  # noqa: S608  constants
        [json.dumps([_values(row, error) for row, error in failed])],
    )


def _values(row: Row, error: Exception) -> dict[str, Any]:
    error_type, message = describe(error)
    remote = getattr(error, "error", None)
    return {
        "id": row.id,
        "error_type": error_type,
        "error_message": message[:MOST_TEXT],
        "instance": clean(getattr(remote, "instance", "")) or None,
        "traceback": clean(getattr(remote, "traceback", ""))[:MOST_TEXT] or None,
    }


def note_unanswered(cr: Cursor, job_ids: Sequence[int]) -> None:
    """Store the last attempt of these jobs, which was not answered in time."""
    cr.execute(
        f"""
        INSERT INTO nameko_job_attempt (job_id, number, sent_at, ended_at, error_type)
        SELECT id, {SENDINGS}, sent_at, {NOW}, coalesce(error_type, 'CallTimeout')
          FROM nameko_job WHERE id = ANY(%s)
        """,  # noqa: S608  constants
        [list(job_ids)],
    )
