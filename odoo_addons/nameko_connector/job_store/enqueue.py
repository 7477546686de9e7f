"""Insert new jobs in the caller's transaction."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from odoo.tools import SQL

from .rows import Cursor
from .waiting import release_waiting

COLUMNS = (
    "uuid", "service", "method", "arguments", "state", "is_ready", "is_waiting",
    "res_model", "res_id", "result_field", "on_result", "on_error",
    "user_id", "company_id", "language", "batch_id", "priority", "eta", "timeout", "attempts",
    "max_attempts", "max_again", "retry_delays", "retry_on", "identity_key", "results_as",
    "progress", "has_result", "create_uid", "write_uid",
)  # fmt: skip


def insert_jobs(cr: Cursor, rows: Sequence[dict[str, Any]]) -> dict[str, int]:
    """Insert the rows, except those whose identity key is in use; return the ids by uuid."""
    columns = SQL(", ").join(map(SQL.identifier, COLUMNS))
    cr.execute(
        SQL(
            """
            INSERT INTO nameko_job (create_date, write_date, %(columns)s)
            SELECT now() AT TIME ZONE 'UTC', now() AT TIME ZONE 'UTC', %(columns)s
              FROM json_populate_recordset(NULL::nameko_job, %(rows)s)
                ON CONFLICT (identity_key)
                   WHERE state IN ('pending', 'sent') AND identity_key IS NOT NULL
                   DO NOTHING
            RETURNING uuid, id
            """,
            columns=columns,
            rows=json.dumps(rows),
        )
    )
    return dict(cr.fetchall())


def jobs_with_key(cr: Cursor, rows: Sequence[dict[str, Any]]) -> dict[str, int]:
    """Return the ids of the jobs that use the identity keys of these rows, by the rows' uuids."""
    cr.execute(
        "SELECT identity_key, id FROM nameko_job"
        " WHERE state IN ('pending', 'sent') AND identity_key = ANY(%s)",
        [[row["identity_key"] for row in rows]],
    )
    by_key = dict(cr.fetchall())
    return {row["uuid"]: by_key[row["identity_key"]] for row in rows}


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
