"""Insert new jobs in the caller's transaction.

Two partial unique indexes have the identity keys: one those of unfinished jobs, the other those of
jobs with `unique_for`, until another job takes the key over after that time. So a key is unique
whatever transactions run at the same time: they wait for each other, and if one does not see the
other's job, PostgreSQL aborts it, and Odoo repeats it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from odoo.tools import SQL

from .rows import Cursor
from .waiting.keys import notify_entered
from .waiting.predecessors import release_waiting

COLUMNS = (
    "uuid", "service", "method", "arguments", "state", "is_ready", "is_waiting",
    "res_model", "res_id", "result_field", "on_result", "on_error",
    "user_id", "company_id", "language", "batch_id", "priority", "eta", "timeout", "attempts",
    "max_attempts", "max_again", "retry_delays", "retry_on", "identity_key", "unique_for",
    "limit_key", "most_at_once", "results_as", "progress", "has_result", "create_uid", "write_uid",
)  # fmt: skip


# A job with a limit key has a start time, by PostgreSQL's clock.
START = "coalesce(eta, CASE WHEN limit_key IS NOT NULL THEN now() AT TIME ZONE 'UTC' END)"
VALUES = {"eta": SQL(START)}
UNFINISHED_KEY = SQL(
    "(identity_key) WHERE state IN ('pending', 'sent') AND identity_key IS NOT NULL"
)
ANY_KEY = SQL("")  # of both indexes
REQUESTS = "coalesce(job.sendings, job.attempts, 0)"


def insert_jobs(cr: Cursor, rows: Sequence[dict[str, Any]]) -> dict[str, int]:
    """Insert the rows, except those whose identity key is in use; return the ids by uuid."""
    columns = SQL(", ").join(map(SQL.identifier, COLUMNS))
    unique = [row for row in rows if row["unique_for"]]
    if unique:
        _free_keys(cr, unique)
    cr.execute(
        SQL(
            """
            INSERT INTO nameko_job (create_date, write_date, %(columns)s)
            SELECT now() AT TIME ZONE 'UTC', now() AT TIME ZONE 'UTC', %(values)s
              FROM json_populate_recordset(NULL::nameko_job, %(rows)s)
                ON CONFLICT %(key)s DO NOTHING
            RETURNING uuid, id
            """,
            columns=columns,
            values=SQL(", ").join(VALUES.get(name, SQL.identifier(name)) for name in COLUMNS),
            key=ANY_KEY if unique else UNFINISHED_KEY,
            rows=json.dumps(rows),
        )
    )
    ids = dict(cr.fetchall())
    if any(row["limit_key"] for row in rows):
        notify_entered(cr)
    return ids


def _free_keys(cr: Cursor, rows: Sequence[dict[str, Any]]) -> None:
    """Take the keys of these rows from jobs that do not count: failed, cancelled or too old."""
    cr.execute(
        """
        UPDATE nameko_job job SET unique_for = NULL
          FROM json_to_recordset(%s) AS wanted(identity_key text, unique_for float)
         WHERE job.identity_key = wanted.identity_key AND job.unique_for IS NOT NULL
           AND (job.state IN ('failed', 'cancelled')
                OR job.state = 'done'
                   AND job.create_date
                       <= now() AT TIME ZONE 'UTC' - make_interval(secs => wanted.unique_for))
        """,
        [
            json.dumps(
                [{name: row[name] for name in ("identity_key", "unique_for")} for row in rows]
            )
        ],
    )


def jobs_with_key(cr: Cursor, rows: Sequence[dict[str, Any]]) -> dict[str, int]:
    """Return the ids of the jobs that use the identity keys of these rows, by the rows' uuids."""
    cr.execute(
        "SELECT identity_key, id, 0 AS rank FROM nameko_job"
        " WHERE unique_for IS NOT NULL AND identity_key = ANY(%(keys)s)"
        " UNION ALL SELECT identity_key, id, 1 FROM nameko_job"
        " WHERE state IN ('pending', 'sent') AND identity_key = ANY(%(keys)s) ORDER BY rank, id",
        {"keys": [row["identity_key"] for row in rows]},
    )
    by_key = {key: job_id for key, job_id, _rank in cr.fetchall()}
    return {row["uuid"]: by_key[row["identity_key"]] for row in rows}


def replace_arguments(cr: Cursor, wanted: Mapping[int, dict[str, Any]]) -> list[int]:
    """Give jobs that were never sent the arguments of these rows; return their ids.

    Only if they call the same method and take the result to the same place. A relay that publishes
    a job holds its lock until it is marked as sent. If a relay ended before that, its request does
    not count any more.
    """
    if not wanted:
        return []
    cr.execute(
        f"""
        UPDATE nameko_job job
           SET arguments = new.arguments, sendings = {REQUESTS} + 1,
               sendings_before = {REQUESTS} + 1
          FROM json_populate_recordset(NULL::nameko_job, %s) AS new
         WHERE job.id = new.id AND job.state = 'pending' AND job.sent_at IS NULL
           AND (job.service, job.method) = (new.service, new.method)
           AND (job.res_model, job.res_id, job.result_field, job.on_result, job.on_error)
               IS NOT DISTINCT FROM
               (new.res_model, new.res_id, new.result_field, new.on_result, new.on_error)
        RETURNING job.id
        """,  # noqa: S608  constants
        [json.dumps([{**row, "id": job_id} for job_id, row in wanted.items()])],
    )
    return [job_id for (job_id,) in cr.fetchall()]


def link_predecessors(cr: Cursor, links: Sequence[dict[str, int]]) -> None:
    """Insert which jobs wait for which: `job_id`, `predecessor_id`, and the order in `sequence`."""
    if not links:
        return
    cr.execute(
        "INSERT INTO nameko_job_predecessor (job_id, predecessor_id, sequence)"
        " SELECT job_id, predecessor_id, sequence"
        " FROM json_to_recordset(%s) AS link(job_id int, predecessor_id int, sequence int)"
        " ON CONFLICT DO NOTHING",
        [json.dumps(links)],
    )
    release_waiting(cr, {link["job_id"] for link in links})
