"""Write beats (heartbeats) into the catalogue, and mark instances that miss beats.

The relay calls this in READ COMMITTED transactions, one at a time. All times are from the
database's clock, as a service's clock may be wrong. If an instance reports nothing new, only
`last_seen` and `running` are written, in one statement for all such instances.
"""

import logging
import time
from collections.abc import Mapping, Sequence
from datetime import datetime

from odoo import api, models
from odoo.tools import SQL

from ...broker.beats.beat import Beat, Service
from ...job_store.rows import NOW
from ...tools import locks
from ...tools.parameters import GONE_BEATS, LATE_BEATS
from .nameko_service import MOST_NOTIFIED
from .nameko_service_keep import QUIETLY

_logger = logging.getLogger(__name__)
LOCK_TIMEOUT = "2s"  # for a locked row
SLACK = 10  # s that a beat may take from the service to its row
MOST_LEARNED = 25  # new or changed beats at a time; the others are sent again
LEARN_SECONDS = 1.0  # after which other changed beats wait for the next time
MOST_INSTANCES = 2_000  # listed; false beats must not fill the database
SILENT = 60  # s without a beat, after which an instance is deleted if the list is full
RARELY = 600.0  # s between two log lines of one kind
_warned: dict[str, float] = {}  # time.monotonic by text


def warn_rarely(text: str, *values: object, exc_info: bool = False) -> None:
    """Log a warning, unless the same text was logged within RARELY seconds."""
    now = time.monotonic()
    if now >= _warned.get(text, -RARELY) + RARELY:
        _warned[text] = now
        _logger.warning(text, *values, exc_info=exc_info)


class NamekoInstance(models.Model):
    _inherit = "nameko.instance"

    @api.model
    @api.private
    def keep(self, beats: Sequence[Beat]) -> bool:
        """Write beats, one of each instance, and mark instances that miss beats.

        :return: False if another relay is doing this, and nothing was written
        """
        self.env.cr.execute("SELECT pg_try_advisory_xact_lock(%s)", [locks.CATALOGUE])
        if self.env.cr.fetchone() == (False,):
            return False
        self.env.cr.execute("SELECT set_config('lock_timeout', %s, true)", [LOCK_TIMEOUT])
        services = self.env["nameko.service"].with_context(**QUIETLY)
        gone_before = services.search([("state", "=", "gone")])
        living = [beat for beat in beats if not beat.stopping]
        changed = self._note_seen({beat.uuid: beat.running for beat in living})
        changed |= self._learn_all(self._unknown(living)[:MOST_LEARNED])
        changed |= self._note_stopped([beat.uuid for beat in beats if beat.stopping])
        changed |= self._note_missed()
        changed.exists().service_ids._settle_methods()
        gone = services.search([("state", "=", "gone")])
        (gone - gone_before)[:MOST_NOTIFIED]._tell_gone()
        back = (gone_before.exists() - gone).sorted(lambda each: not each.activity_ids)
        back[:MOST_NOTIFIED]._tell_back()
        self._note_changed(changed.exists() | gone.instance_ids.exists())
        return True

    @api.model
    def _note_changed(self, instances: models.BaseModel) -> None:
        """Make open views of these instances and their services reload."""
        changed = [(record._name, record.id) for record in (*instances, *instances.service_ids)]
        if changed:
            self.env["nameko.live"]._note([("nameko.job.count", 0), *changed])

    @api.model
    def _unknown(self, beats: Sequence[Beat]) -> list[Beat]:
        """Return the beats of new or changed instances or services."""
        self.env.cr.execute(
            "SELECT uuid, fingerprint FROM nameko_instance WHERE uuid = ANY(%s)",
            [[beat.uuid for beat in beats]],
        )
        known = dict(self.env.cr.fetchall())
        names = {service.name for beat in beats for service in beat.services}
        self.env.cr.execute(
            "SELECT name, fingerprint FROM nameko_service WHERE name = ANY(%s)", [list(names)]
        )
        kept = dict(self.env.cr.fetchall())
        return [
            beat
            for beat in beats
            if known.get(beat.uuid) != beat.fingerprint
            or any(kept.get(s.name, s.fingerprint) != s.fingerprint for s in beat.services)
        ]

    @api.model
    def _learn_all(self, beats: Sequence[Beat]) -> models.BaseModel:
        """Write beats for LEARN_SECONDS at most; return the instances."""
        until = time.monotonic() + LEARN_SECONDS
        learned = self.browse()
        for beat in beats:
            if time.monotonic() > until:
                break
            try:
                with self.env.cr.savepoint():
                    learned |= self._learn(beat)
            except Exception:  # noqa: BLE001 - logged
                warn_rarely("The beat of %s cannot be kept", beat.uuid, exc_info=True)
        return learned

    @api.model
    def _learn(self, beat: Beat) -> models.BaseModel:
        """Write a new or changed instance and its services; return the instance."""
        instance = self.search([("uuid", "=", beat.uuid)])
        if not instance and not self._make_room():
            warn_rarely("More than %s instances: %s is not listed", MOST_INSTANCES, beat.uuid)
            return instance
        services = self.env["nameko.service"].union(
            *(self._learn_service(service) for service in beat.services)
        )
        values = {
            "uuid": beat.uuid,
            "host": beat.host,
            "pid": beat.pid,
            "version": beat.version,
            "started": beat.started,
            "interval": beat.interval,
            "fingerprint": beat.fingerprint,
            "service_ids": [(6, 0, services.ids)],
            "method_names": {s.name: [m["name"] for m in s.methods] for s in beat.services},
        }
        if instance:
            instance.write(values)
            return instance
        seen = {"last_seen": self._clock(), "running": beat.running}
        return self.create({**values, **seen})

    @api.model
    def _make_room(self) -> bool:
        """Return whether one more instance can be listed; if full, delete long silent ones."""
        if self.search_count([], limit=MOST_INSTANCES) < MOST_INSTANCES:
            return True
        self.flush_model(["state", "last_seen"])
        self.env.cr.execute(
            f"""
            SELECT id FROM nameko_instance WHERE last_seen < {NOW} - make_interval(secs => %s)
             ORDER BY state IN ('up', 'late'), last_seen LIMIT %s
            """,  # noqa: S608  constants
            [SILENT, MOST_LEARNED],
        )
        silent = self.browse(row_id for (row_id,) in self.env.cr.fetchall())
        silent.unlink()
        return bool(silent)

    @api.model
    def _learn_service(self, reported: Service) -> models.BaseModel:
        services = self.env["nameko.service"].with_context(**QUIETLY)
        service = services.search([("name", "=", reported.name)])
        if not service and not services._make_room():
            warn_rarely("Too many services: %s is not listed", reported.name)
            return service
        service = service or services.create({"name": reported.name})
        if service.fingerprint != reported.fingerprint:
            service.write({"doc": reported.doc, "fingerprint": reported.fingerprint})
            self.env["nameko.method"]._learn(service, reported.methods)
        return service

    @api.model
    def _note_seen(self, running: Mapping[str, str]) -> models.BaseModel:
        """Write when these were seen and what they run, by uuid; return those that are up again.

        A beat that arrives within SLACK seconds after the last beat of an instance is ignored.
        """
        self.env.cr.execute(
            f"""
            UPDATE nameko_instance instance
               SET last_seen = {NOW}, running = nullif(reported.running, '')
              FROM unnest(%s::text[], %s::text[]) AS reported(uuid, running)
             WHERE instance.uuid = reported.uuid
               AND NOT (state = 'stopped' AND last_seen > {NOW} - make_interval(secs => %s))
            RETURNING instance.id, instance.state
            """,  # noqa: S608  constants
            [list(running), list(running.values()), SLACK],
        )
        rows = self.env.cr.fetchall()
        self.invalidate_model(["last_seen", "running"], flush=False)
        back = self.browse(row_id for row_id, state in rows if state != "up")
        if back:
            back.write({"state": "up", "late_since": False})
        return back

    @api.model
    def _note_stopped(self, uuids: Sequence[str]) -> models.BaseModel:
        """Set these instances to stopped; return those that were not stopped before."""
        stopped = self.search([("uuid", "in", list(uuids)), ("state", "!=", "stopped")])
        if stopped:
            ended = {"late_since": False, "running": False}
            stopped.write({"state": "stopped", "last_seen": self._clock(), **ended})
        return stopped

    @api.model
    def _note_missed(self) -> models.BaseModel:
        """Set instances that missed some beats to late, and those that stayed late to gone.

        An instance is late before it is gone. So after a time without a relay, each instance has
        time to send a beat. Return those that are gone now.
        """
        late, gone = LATE_BEATS.value(self.env), GONE_BEATS.value(self.env)
        if stayed := self._missing("late", "late_since", max(gone - late, 0), 0):
            stayed.write({"state": "gone", "running": False})
        if missed := self._missing("up", "last_seen", late, SLACK):
            missed.write({"state": "late", "late_since": self._clock()})
        return stayed

    @api.model
    def _clock(self) -> datetime:
        """Return the database's time, in UTC, without zone."""
        self.env.cr.execute(SQL("SELECT %s", SQL(NOW)))
        ((now,),) = self.env.cr.fetchall()
        return now.replace(microsecond=0)

    @api.model
    def _missing(self, state: str, since: str, beats: float, slack: float) -> models.BaseModel:
        """Return the instances in a state that have missed so many beats since a time."""
        self.env.cr.execute(
            f"""
            SELECT id FROM nameko_instance
             WHERE state = %s AND {since} < {NOW} - make_interval(secs => "interval" * %s + %s)
            """,  # noqa: S608  constants
            [state, beats, slack],
        )
        return self.browse(row_id for (row_id,) in self.env.cr.fetchall())
