"""Lock the rows of jobs that have an answer, finish them, ask again, or restore them."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence

from ..broker.jobs.ids import is_uuid
from ..tools.texts import clean
from .rows import COLUMNS, NOW, PUT_BACK, Cursor, Finish, Row
from .waiting.predecessors import notify_finished

LEASE_SECONDS = 600  # a job does not expire for so long if its answer is in a relay or parked


def lock_free_rows(cr: Cursor, uuids: Iterable[str]) -> tuple[dict[str, Row], set[str]]:
    """Lock the jobs that are not locked; return their rows, and the uuids of locked jobs."""
    wanted = list(filter(is_uuid, uuids))
    cr.execute(
        f"SELECT {COLUMNS} FROM nameko_job job"  # noqa: S608  constants
        " WHERE uuid = ANY(%s) ORDER BY id FOR NO KEY UPDATE SKIP LOCKED",
        [wanted],
    )
    rows = {row.uuid: row for row in (Row(*values) for values in cr.fetchall())}
    missing = [uuid for uuid in wanted if uuid not in rows]
    if not missing:
        return rows, set()
    cr.execute("SELECT uuid FROM nameko_job WHERE uuid = ANY(%s)", [missing])
    return rows, {uuid for (uuid,) in cr.fetchall()}


WRITE_FINISHED = """
    UPDATE nameko_job job
       SET state = finish.state, is_ready = false, is_waiting = false, eta = NULL,
           deadline = NULL, done_at = now() AT TIME ZONE 'UTC',
           seconds = CASE WHEN job.state = 'sent' THEN
               extract(epoch FROM now() AT TIME ZONE 'UTC' - job.sent_at)
               ELSE job.seconds END,
           progress = CASE WHEN finish.state = 'done' THEN 100 ELSE job.progress END,
           attempts = CASE WHEN finish.result IS NOT NULL THEN greatest(job.attempts, 1)
                           ELSE job.attempts END,
           has_result = finish.result IS NOT NULL, result = finish.result,
           error_type = finish.error_type, error_message = finish.error_message
      FROM json_to_recordset(%s) AS finish(
               id int, state text, result text, error_type text, error_message text)
     WHERE job.id = finish.id
    RETURNING job.id, job.limit_key IS NOT NULL
              OR EXISTS (SELECT FROM nameko_job_predecessor WHERE predecessor_id = job.id)
"""


def write_finished(cr: Cursor, finished: Collection[Finish]) -> None:
    """Finish these jobs; notify the relays of those for which other jobs wait.

    A job with a result has at least one attempt, even if the broker did not confirm the request.
    """
    if not finished:
        return
    values = json.dumps([each.values() for each in finished])
    cr.execute(WRITE_FINISHED, [values], log_exceptions=False)
    awaited = [job_id for job_id, is_awaited in cr.fetchall() if is_awaited]
    if awaited:
        notify_finished(cr, awaited)


ASK_AGAIN = f"""
    UPDATE nameko_job job
       SET state = 'pending', is_ready = false,
           is_waiting = limit_key IS NOT NULL AND NOT %(is_open)s,
           eta = {NOW} + make_interval(secs => %(seconds)s),
           arguments = coalesce(%(arguments)s, arguments),
           asked_again = coalesce(asked_again, 0) + 1,
           sendings = %(sendings)s, sendings_before = %(sendings)s, attempts = 0, progress = 0,
           deadline = NULL, done_at = NULL, seconds = NULL, write_tries = 0,
           result = NULL, has_result = false, error_type = NULL, error_message = NULL,
           failure_id = NULL
     WHERE id = %(id)s
       AND NOT EXISTS (
           SELECT FROM nameko_job other
            WHERE other.identity_key = job.identity_key AND other.id <> job.id
              AND other.state IN ('pending', 'sent'))
"""  # noqa: S608  constants


def ask_again(cr: Cursor, row: Row, seconds: float, arguments: str | None) -> bool:
    """Set a job that this transaction finished to pending for its next round.

    Answers to earlier requests do not count any more. The counting of attempts begins anew. A job
    with a limit key that was not open any more waits for its turn.

    :param arguments: as JSON; None: the same as before
    :return: False, and nothing is changed, if another job has its identity key
    """
    is_open = row.state == "sent" or (row.state == "pending" and not row.is_waiting)
    values = {
        "sendings": row.newest_request,
        "seconds": seconds,
        "arguments": arguments,
        "is_open": is_open,
    }
    cr.execute(ASK_AGAIN, {"id": row.id, **values}, log_exceptions=False)
    return bool(cr.rowcount)


def put_back(cr: Cursor, rows: Collection[Row]) -> None:
    """Restore the rows that this transaction finished; their answers are written later.

    As their answers have arrived, the deadlines are extended by LEASE_SECONDS.
    """
    if not rows:
        return
    values = [{name: getattr(row, name) for name in PUT_BACK} for row in rows]
    cr.execute(
        f"""
        UPDATE nameko_job job
           SET state = old.state, is_ready = old.is_ready, is_waiting = old.is_waiting,
               eta = old.eta, progress = old.progress, attempts = old.attempts,
               error_type = old.error_type,
               error_message = old.error_message, done_at = NULL, seconds = NULL,
               result = NULL, has_result = false, write_tries = 0,
               deadline = CASE WHEN old.state = 'sent'
                   THEN greatest(old.deadline, {NOW} + interval '1 second' * %s) END
          FROM json_to_recordset(%s) AS old(
                   id int, state text, is_ready bool, is_waiting bool, eta timestamp,
                   deadline timestamp, progress float, attempts int, error_type text,
                   error_message text)
         WHERE job.id = old.id
        """,  # noqa: S608  constants
        [LEASE_SECONDS, json.dumps(values, default=str)],
    )


def keep_result(cr: Cursor, row: Row, text: str, note: str) -> None:
    """Store the result in a failed job, and add a note to its error message."""
    cr.execute(
        "UPDATE nameko_job SET result = %s, has_result = true,"
        " error_message = concat_ws(E'\\n', error_message, %s) WHERE id = %s",
        [clean(text), note, row.id],
        log_exceptions=False,
    )


def lease(cr: Cursor, uuids: Collection[str]) -> set[str]:
    """Extend the deadlines of sent jobs whose answers are in a relay, to LEASE_SECONDS from now.

    If the relay ends or freezes, the broker redelivers the answer to another relay in that time.
    Return the uuids that need no further attempt: all except those of locked jobs.
    """
    wanted = list(filter(is_uuid, uuids))
    cr.execute(
        f"""
        UPDATE nameko_job
           SET deadline = greatest(deadline, {NOW} + interval '1 second' * %s), write_tries = 0
         WHERE id IN (SELECT id FROM nameko_job WHERE uuid = ANY(%s) AND state = 'sent'
                         FOR NO KEY UPDATE SKIP LOCKED)
        RETURNING uuid
        """,  # noqa: S608  constants
        [LEASE_SECONDS, wanted],
    )
    leased = {uuid for (uuid,) in cr.fetchall()}
    if len(leased) == len(wanted):
        return set(uuids)
    cr.execute("SELECT uuid FROM nameko_job WHERE uuid = ANY(%s) AND state = 'sent'", [wanted])
    return set(uuids) - ({uuid for (uuid,) in cr.fetchall()} - leased)


def mark_first_try(cr: Cursor, uuids: Collection[str]) -> set[str]:
    """Count an attempt to write the answers of these jobs; return those that had one before.

    If writing crashes the process, the count stays.
    """
    wanted = list(filter(is_uuid, uuids))
    query = "SELECT uuid FROM nameko_job WHERE uuid = ANY(%s) AND write_tries > 0"
    cr.execute(query, [wanted])
    noted = {uuid for (uuid,) in cr.fetchall()}
    _add_try(cr, [uuid for uuid in wanted if uuid not in noted])
    return noted


def mark_try(cr: Cursor, uuid: str) -> int:
    """Count an attempt to write a job's answer; return the number of attempts; 0 if locked."""
    _add_try(cr, [uuid])
    return (cr.fetchone() or (0,))[0]


def _add_try(cr: Cursor, uuids: Sequence[str]) -> None:
    cr.execute(
        "UPDATE nameko_job SET write_tries = coalesce(write_tries, 0) + 1"
        " WHERE id IN (SELECT id FROM nameko_job WHERE uuid = ANY(%s) AND state <> 'done'"
        " FOR NO KEY UPDATE SKIP LOCKED) RETURNING write_tries",
        [list(uuids)],
    )
