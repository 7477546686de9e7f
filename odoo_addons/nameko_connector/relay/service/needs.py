"""What a database needs from a relay, in one cheap statement."""

from __future__ import annotations

import enum
from typing import Any, NamedTuple

from ...job_store.monitoring.failures import UNGROUPED
from ...job_store.relays import RELAYS
from ...job_store.rows import NOW, READY
from ...job_store.waiting.keys import ENTERS, IS_OPEN
from ...job_store.waiting.predecessors import HAS_FAILED_PREDECESSOR, IS_WAITING, WAITS
from ...models.jobs.nameko_database import NEUTRALIZED, PARAMETER
from ...models.monitoring.nameko_live_viewer import LONGEST
from ...tools import locks

MOST = 100  # rows that one question reads
IS_THERE = """
    SELECT to_regclass('ir_module_module') IS NOT NULL AND to_regclass('nameko_job') IS NOT NULL
       AND to_regclass('nameko_live_viewer') IS NOT NULL
"""
CAN_END = """
    EXISTS (SELECT FROM (SELECT id FROM nameko_batch WHERE state = 'running'
                          ORDER BY id LIMIT {most}) batch
             WHERE NOT EXISTS (SELECT FROM nameko_job job WHERE job.batch_id = batch.id
                                  AND job.state IN ('pending', 'sent')))
"""
# Jobs that could go on because other jobs have ended while no relay ran.
CAN_BE_RELEASED = f"""
    EXISTS (SELECT FROM (SELECT id, limit_key FROM nameko_job WHERE {WAITS}
                          ORDER BY id LIMIT {{most}}) job
             WHERE {HAS_FAILED_PREDECESSOR}
                OR NOT {IS_WAITING}
                   AND NOT EXISTS (SELECT FROM nameko_job opened
                                    WHERE {IS_OPEN} AND opened.limit_key = job.limit_key))
"""  # noqa: S608  constants
LATER = "state = 'pending' AND NOT is_ready AND NOT is_waiting"
PREPARE = f"""
    PREPARE nameko_look AS SELECT
        (SELECT latest_version FROM ir_module_module WHERE name = 'base'),
        EXISTS (SELECT FROM ir_module_module WHERE name = 'nameko_connector'
                   AND state IN ('installed', 'to upgrade')),
        EXISTS (SELECT FROM ir_module_module
                 WHERE state IN ('to install', 'to upgrade', 'to remove')),
        (SELECT string_agg(value, ' ' ORDER BY key) FROM ir_config_parameter
          WHERE key IN ('{NEUTRALIZED}', '{PARAMETER}')),
        EXISTS (SELECT FROM nameko_job WHERE {READY})
            OR EXISTS (SELECT FROM nameko_job WHERE {LATER} AND eta <= {NOW})
            OR EXISTS (SELECT FROM nameko_job WHERE {ENTERS} AND eta <= {NOW})
            OR EXISTS (SELECT FROM nameko_job WHERE state = 'sent' AND deadline <= {NOW})
            OR EXISTS (SELECT FROM nameko_job WHERE cancel_unannounced)
            OR EXISTS (SELECT FROM nameko_job WHERE {UNGROUPED})
            OR {CAN_END.format(most=MOST)} OR {CAN_BE_RELEASED.format(most=MOST)},
        EXISTS (SELECT FROM nameko_job WHERE state = 'sent')
            OR EXISTS (SELECT FROM nameko_live_viewer
                        WHERE since > now() AT TIME ZONE 'UTC' - interval '{LONGEST}'),
        EXISTS (SELECT FROM nameko_job WHERE {WAITS}),
        (SELECT extract(epoch FROM min(eta) - {NOW})::float
           FROM ((SELECT eta FROM nameko_job WHERE {LATER} ORDER BY eta LIMIT 1)
                 UNION ALL
                 (SELECT eta FROM nameko_job WHERE {ENTERS} ORDER BY eta LIMIT 1)) next)
"""  # noqa: S608  constants
EXECUTE = "EXECUTE nameko_look"
MODULES = "SELECT name FROM ir_module_module WHERE state = 'installed'"
COUNT_RELAYS = f"SELECT count(*) FROM ({RELAYS % locks.RELAY}) relay"  # noqa: S608  constants
LOCK = f"SELECT pg_advisory_lock_shared({locks.RELAY})"
UNLOCK = f"SELECT pg_advisory_unlock_shared({locks.RELAY})"


class Need(enum.IntEnum):
    """What a relay would do in a database; the larger, the more urgent.

    ATTEND: receive answers that may come, and keep open views up to date.
    """

    NONE = 0
    ATTEND = 1
    WORK = 2


class Look(NamedTuple):
    """The row of the statement.

    confirmed: changes when an administrator lets the database send; has_waiting: jobs wait for
    others; next_seconds: until a job's time comes.
    """

    base_version: str | None
    has_addon: bool
    is_changing: bool
    confirmed: str | None
    has_work: bool
    has_to_attend: bool
    has_waiting: bool
    next_seconds: float | None

    def need(self, *, may_release: bool) -> Need:
        """Return what is needed. may_release: whether jobs that wait for others may go on."""
        if self.has_work or (may_release and self.has_waiting):
            return Need.WORK
        return Need.ATTEND if self.has_to_attend else Need.NONE


def read(rows: list[tuple[Any, ...]]) -> Look:
    """Return the row of the statement."""
    return Look(*rows[0])
