"""Which database this is: a copy must neither send its original's jobs nor take their replies."""

import logging
import uuid

from odoo import api, models

from ..exceptions import DatabaseNeutralized

_logger = logging.getLogger(__name__)
PARAMETER = "nameko_compute.database_identity"
LOCK = 7_210_423_119  # any number of our own


class NamekoJob(models.Model):
    _inherit = "nameko.job"

    @api.model
    @api.private
    def database_identity(self, *, take_over: bool = False) -> str:
        """Give the name under which this database receives replies.

        It is bound to the place of the database, which no copy shares. In a copy all live jobs are
        cancelled and it gets a name of its own, unless it is to take over from its original, as a
        database does that was restored from a backup.

        :raises exceptions.DatabaseNeutralized: nothing may leave such a database
        """
        self._refuse_neutralized()
        self.env.cr.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        stored, place = self._stored_identity(), self._place()
        name, _, known_place = stored.partition("@")
        if name and known_place != place and not take_over:
            self._disown_jobs()
            name = ""
        name = name or uuid.uuid4().hex
        if stored != f"{name}@{place}":
            self.env["ir.config_parameter"].sudo().set_param(PARAMETER, f"{name}@{place}")
        return name

    def _refuse_neutralized(self) -> None:
        if self.env["ir.config_parameter"].sudo().get_param("database.is_neutralized"):
            raise DatabaseNeutralized(
                "This database is neutralized: no job leaves it. Delete the system parameter "
                "database.is_neutralized where it may call services."
            )

    def _stored_identity(self) -> str:
        """Read past the cache: another process may have written it a moment ago."""
        self.env.cr.execute("SELECT value FROM ir_config_parameter WHERE key = %s", [PARAMETER])
        return (self.env.cr.fetchone() or ("",))[0]

    def _place(self) -> str:
        """The cluster and the database in it: renaming keeps both, copying does not."""
        self.env.cr.execute(
            "SELECT system_identifier || '/' || (SELECT oid FROM pg_database"
            " WHERE datname = current_database()) FROM pg_control_system()"
        )
        return str(self.env.cr.fetchone()[0])

    def _disown_jobs(self) -> None:
        self.env.cr.execute(
            """
            UPDATE nameko_job
               SET state = 'cancelled', is_ready = false, is_waiting = false, deadline = NULL,
                   done_at = now() AT TIME ZONE 'UTC', error_type = 'DatabaseCopied',
                   error_message = 'The database was copied: its original sees to this job.'
             WHERE state IN ('pending', 'sent')
            """
        )
        _logger.warning(
            "This database is a copy: %s live jobs were cancelled", self.env.cr.rowcount
        )
