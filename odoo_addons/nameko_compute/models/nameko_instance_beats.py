"""The catalogue is kept: beats are written, and instances judged that do not beat.

For the relay, in transactions of level READ COMMITTED, one at a time. The clock is the database's:
that of a service may be a day off. Of an instance that says nothing new, only `last_seen` is
written, for all of them at once.
"""

import logging
from collections.abc import Sequence

from odoo import api, models

from ..broker.beats import Beat, Service
from ..parameters import GONE_BEATS, LATE_BEATS
from .nameko_job_dispatch import NOW

_logger = logging.getLogger(__name__)
LOCK = 7_210_423_121  # any number of our own
LOCK_TIMEOUT = "2s"  # for a row that somebody else writes
SLACK = 10  # s that a beat may take from the service to its row
MOST_LEARNED = 25  # new instances at a time: jobs wait meanwhile; the others will beat again
MOST_INSTANCES = 2_000  # listed; somebody who invents instances shall not fill the database
MOST_SERVICES = 1_000
QUIETLY = {"tracking_disable": True, "mail_create_nolog": True, "mail_create_nosubscribe": True}


class NamekoInstance(models.Model):
    _inherit = "nameko.instance"

    @api.model
    @api.private
    def keep(self, beats: Sequence[Beat]) -> bool:
        """Write what beats say, one of each instance, and who is missed.

        :return: False where another relay is at it, and nothing was done
        """
        self.env.cr.execute("SELECT pg_try_advisory_xact_lock(%s)", [LOCK])
        if self.env.cr.fetchone() == (False,):
            return False
        self.env.cr.execute("SELECT set_config('lock_timeout', %s, true)", [LOCK_TIMEOUT])
        services = self.env["nameko.service"].with_context(**QUIETLY)
        gone_before = services.search([("state", "=", "gone")])
        self._learn_all(self._unknown(beats)[:MOST_LEARNED])
        self._note_seen([beat.uuid for beat in beats])
        self._note_missed()
        gone = services.search([("state", "=", "gone")])
        (gone - gone_before)._tell_gone()
        (gone_before - gone)._tell_back()
        return True

    @api.model
    def _unknown(self, beats: Sequence[Beat]) -> list[Beat]:
        """Give the beats that say something new."""
        self.env.cr.execute(
            "SELECT uuid, fingerprint FROM nameko_instance WHERE uuid = ANY(%s)",
            [[beat.uuid for beat in beats]],
        )
        known = dict(self.env.cr.fetchall())
        return [beat for beat in beats if known.get(beat.uuid) != beat.fingerprint]

    @api.model
    def _learn_all(self, beats: Sequence[Beat]) -> None:
        for beat in beats:
            try:
                with self.env.cr.savepoint():
                    self._learn(beat)
            except Exception:
                _logger.warning("The beat of %s cannot be kept", beat.uuid, exc_info=True)

    @api.model
    def _learn(self, beat: Beat) -> None:
        """Write an instance that is new or says something new, and what it hosts."""
        instance = self.search([("uuid", "=", beat.uuid)])
        if not instance and self.search_count([], limit=MOST_INSTANCES) == MOST_INSTANCES:
            _logger.warning("More than %s instances: %s is not listed", MOST_INSTANCES, beat.uuid)
            return
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
        }
        if instance:
            instance.write(values)
        else:
            self.create(values)

    @api.model
    def _learn_service(self, told: Service) -> models.BaseModel:
        services = self.env["nameko.service"].with_context(**QUIETLY)
        service = services.search([("name", "=", told.name)])
        if not service and services.search_count([], limit=MOST_SERVICES) == MOST_SERVICES:
            _logger.warning("More than %s services: %s is not listed", MOST_SERVICES, told.name)
            return service
        service = service or services.create({"name": told.name, "doc": told.doc})
        if (service.doc or "") != told.doc:
            service.doc = told.doc
        self.env["nameko.method"]._learn(service, told.methods)
        return service

    @api.model
    def _note_seen(self, uuids: Sequence[str]) -> None:
        if not uuids:
            return
        self.env.cr.execute(
            f"""
            UPDATE nameko_instance SET last_seen = {NOW} WHERE uuid = ANY(%s)
            RETURNING id, state
            """,  # noqa: S608  constants
            [list(uuids)],
        )
        rows = self.env.cr.fetchall()
        self.invalidate_model(["last_seen"], flush=False)
        back = self.browse(row_id for row_id, state in rows if state != "up")
        if back:
            back.write({"state": "up", "late_since": False})

    @api.model
    def _note_missed(self) -> None:
        """Call those late that missed some beats, and those gone that stayed late.

        Nobody is gone who was not late before: after a time in which no relay ran, everybody has
        the time to beat.
        """
        late, gone = LATE_BEATS.read(self.env), GONE_BEATS.read(self.env)
        if stayed := self._missing("late", "late_since", max(gone - late, 0), 0):
            stayed.write({"state": "gone"})
        if missed := self._missing("up", "last_seen", late, SLACK):
            missed.write({"state": "late", "late_since": self.env.cr.now()})

    @api.model
    def _missing(self, state: str, since: str, beats: float, slack: float) -> models.BaseModel:
        """Find the instances in a state that said nothing for so many of their own beats."""
        self.env.cr.execute(
            f"""
            SELECT id FROM nameko_instance
             WHERE state = %s AND {since} < {NOW} - make_interval(secs => "interval" * %s + %s)
            """,  # noqa: S608  constants
            [state, beats, slack],
        )
        return self.browse(row_id for (row_id,) in self.env.cr.fetchall())
