"""Which database this is, and whether anything may leave it.

The identity names the queues in which a database receives its replies. It is kept in a system
parameter as `<name>@<place>`: a restored, copied or moved database finds itself in another place.
Then it sends, takes and cancels nothing until a person has said which of these it is
(`nameko_job_question`).
"""

import uuid

from odoo import api, models
from odoo.tools import ormcache

from ..exceptions import DatabaseNeutralized, DatabaseNotConfirmed

PARAMETER = "nameko_compute.database_identity"
NEUTRALIZED = "database.is_neutralized"
LOCK = 7_210_423_119  # any number of our own


class NamekoJob(models.Model):
    _inherit = "nameko.job"

    @api.model
    @api.private
    def database_identity(self) -> str:
        """Return the name under which this database receives replies; make it at the first use.

        :raises exceptions.SendingRefused: nothing may leave this database
        """
        self._lock_identity()
        self._refuse_to_send()
        name, _, place = self._stored_identity().partition("@")
        if not place:
            name = uuid.uuid4().hex
            self._bind_identity(name)
        return name

    @api.model
    def _check_may_send(self) -> None:
        """See that something may leave this database; free once it was found to be so.

        :raises exceptions.SendingRefused: nothing may
        """
        self._may_send(self.env.cr.connection.get_backend_pid())

    @ormcache("session", cache="stable")
    def _may_send(self, session: int) -> bool:
        """Return True, kept until a system parameter changes; a refusal is not kept.

        session: of PostgreSQL; a new one may have led to another database of this name.
        """
        self._refuse_to_send()
        return True

    def _refuse_to_send(self) -> None:
        if self._stored(NEUTRALIZED):
            raise DatabaseNeutralized(
                self.env._(
                    "This database is neutralized: nothing is sent from it. Where it may call "
                    "services, have an administrator delete the system parameter "
                    "database.is_neutralized."
                )
            )
        if self._is_asking():
            raise DatabaseNotConfirmed(
                self.env._(
                    "This database was restored, copied or moved, and nothing is sent from it "
                    "until an administrator has said which: under Settings, Nameko, or with "
                    "“odoo nameko_relay -d %s” and --moved or --copy.",
                    self.env.cr.dbname,
                )
            )

    @api.model
    def _is_asking(self) -> bool:
        """Tell whether a person must say first which database this is."""
        name, _, place = self._stored_identity().partition("@")
        return bool(name) and place != self._place()

    def _stored_identity(self) -> str:
        return self._stored(PARAMETER)

    def _stored(self, key: str) -> str:
        """Read past the cache: another process may have written it a moment ago."""
        self.env["ir.config_parameter"].flush_model(["key", "value"])
        self.env.cr.execute("SELECT value FROM ir_config_parameter WHERE key = %s", [key])
        return (self.env.cr.fetchone() or ("",))[0] or ""

    def _place(self) -> str:
        """Return the cluster and the database in it: renaming keeps both, copying does not.

        A physical copy keeps both as well, and so does a standby that takes over.
        """
        self.env.cr.execute(
            "SELECT system_identifier || '/' || (SELECT oid FROM pg_database"
            " WHERE datname = current_database()) FROM pg_control_system()"
        )
        return str(self.env.cr.fetchone()[0])

    def _lock_identity(self) -> None:
        self.env.cr.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])

    def _bind_identity(self, name: str, place: str | None = None) -> None:
        """Keep the name, as that of the database in this place."""
        place = self._place() if place is None else place
        self.env["ir.config_parameter"].sudo().set_param(PARAMETER, f"{name}@{place}")
