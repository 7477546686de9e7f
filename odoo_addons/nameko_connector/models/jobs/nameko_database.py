"""The identity of this database, and whether it may send anything.

The identity is part of the names of the queues in which a database receives its replies. A system
parameter stores it as `<name>@<place>`. If the database was restored, copied or moved, its place is
different. Then it sends and receives nothing until an administrator has said what happened.
"""

import logging
import uuid

from odoo import api, models
from odoo.tools import ormcache

from ...exceptions import DatabaseNeutralized, DatabaseNotConfirmed
from ...job_store.retention import cancel_live, shorten_deadlines
from ...tools import locks

_logger = logging.getLogger(__name__)
PARAMETER = "nameko_connector.database_identity"
NEUTRALIZED = "database.is_neutralized"
ACTIVITY = "nameko_connector.activity_database"
ADMINISTRATORS = "base.group_system"
ANSWER_SECONDS = 300  # the longest time to answer for jobs sent before the database moved
ELSEWHERE = "elsewhere"  # a place that no database has


class NamekoDatabase(models.AbstractModel):
    _name = "nameko.database"
    _description = "Which Database This Is"

    @api.model
    @api.private
    def database_identity(self) -> str:
        """Return the name under which this database receives replies; create it at first use.

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
        """Check that this database may send; a positive answer is cached.

        :raises exceptions.SendingRefused: nothing may leave this database
        """
        self._may_send(self.env.cr.connection.get_backend_pid())

    @ormcache("session", cache="stable")
    def _may_send(self, session: int) -> bool:
        """Return True, cached until a system parameter changes; a refusal is not cached.

        session: of PostgreSQL; a new session may use another database with the same name.
        """
        self._refuse_to_send()
        return True

    def _refuse_to_send(self) -> None:
        if self._stored(NEUTRALIZED):
            raise DatabaseNeutralized(
                self.env._(
                    "This database is neutralized, so nothing is sent from it. If it may call "
                    "services, ask an administrator to delete the system parameter "
                    "database.is_neutralized."
                )
            )
        if self._is_asking():
            raise DatabaseNotConfirmed(
                self.env._(
                    "This database was restored, copied or moved, and nothing is sent from it "
                    "until an administrator has said which: under Settings, Nameko, or with "
                    "“ODOO_RC=/path/to/odoo.conf odoo nameko_relay -d %s” and --moved or --copy.",
                    self.env.cr.dbname,
                )
            )

    @api.model
    def _is_asking(self) -> bool:
        """Return whether an administrator must say first which database this is."""
        name, _, place = self._stored_identity().partition("@")
        return bool(name) and place != self._place()

    def _stored_identity(self) -> str:
        return self._stored(PARAMETER)

    def _stored(self, key: str) -> str:
        """Return a system parameter from the database, as another process may have changed it."""
        self.env["ir.config_parameter"].flush_model(["key", "value"])
        self.env.cr.execute("SELECT value FROM ir_config_parameter WHERE key = %s", [key])
        return (self.env.cr.fetchone() or ("",))[0] or ""

    def _place(self) -> str:
        """Return the ids of the PostgreSQL cluster and of the database in it.

        Renaming keeps both, copying does not. A physical copy and a standby also keep both.
        """
        self.env.cr.execute(
            "SELECT system_identifier || '/' || (SELECT oid FROM pg_database"
            " WHERE datname = current_database()) FROM pg_control_system()"
        )
        return str(self.env.cr.fetchone()[0])

    def _lock_identity(self) -> None:
        self.env.cr.execute("SELECT pg_advisory_xact_lock(%s)", [locks.IDENTITY])

    def _bind_identity(self, name: str, place: str | None = None) -> None:
        """Store the name together with the place; by default, the current one."""
        place = self._place() if place is None else place
        self.env["ir.config_parameter"].sudo().set_param(PARAMETER, f"{name}@{place}")

    # The question, and its answer

    @api.model
    @api.private
    def ask_administrators(self) -> None:
        """Create one activity for each administrator, unless there are some already.

        Call this in a READ COMMITTED transaction that has just begun.
        """
        self._lock_identity()
        if not self._is_asking() or self._activities():
            return
        administrators = self.env.ref(ADMINISTRATORS).all_user_ids
        values = {
            "activity_type_id": self.env.ref(ACTIVITY).id,
            "summary": self.env._("Nameko: was this database moved, or is it a copy?"),
            "note": self.env._(
                "This database was restored, copied or moved. Odoo sends nothing to services and "
                "writes no result until you answer under Settings, Nameko."
            ),
        }
        self.env["mail.activity"].sudo().with_context(mail_activity_quick_update=True).create(
            [
                {**values, "user_id": user.id}
                for user in administrators
                if user.active and not user.share
            ]
        )
        _logger.warning("The database was restored, copied or moved: administrators are asked")

    def _activities(self) -> models.BaseModel:
        """Return the activities for this question, including done ones."""
        activities = self.env["mail.activity"].sudo().with_context(active_test=False)
        return activities.search([("activity_type_id", "=", self.env.ref(ACTIVITY).id)])

    @api.model
    def _answer_moved(self) -> bool:
        """Confirm that the original was moved here: it keeps its name, and its jobs continue.

        Sent jobs are sent again soon, unless their replies wait in the broker: other replies may
        have been consumed after the backup was made.

        :return: whether the database was waiting for this answer; if not, nothing is changed
        """
        self._lock_identity()
        if not self._is_asking():
            return False
        shorten_deadlines(self.env.cr, ANSWER_SECONDS)
        self.env["nameko.job"].invalidate_model(flush=False)
        name, _, _place = self._stored_identity().partition("@")
        self._confirm(name)
        return True

    @api.model
    def _answer_copy(self) -> bool:
        """Confirm that this is a copy: cancel its unfinished jobs, and give it a new name.

        :return: whether the database was waiting for this answer; if not, nothing is changed
        """
        self._lock_identity()
        if not self._is_asking():
            return False
        cancelled = cancel_live(self.env.cr)
        _logger.warning("This database is a copy: %s jobs were cancelled", cancelled)
        self.env["nameko.job"].invalidate_model(flush=False)
        self._confirm(uuid.uuid4().hex)
        return True

    @api.model
    def _ask_again(self) -> bool:
        """Make the database ask which it is; for a physical copy, which cannot detect that.

        :return: whether it asks now; a database that has never sent anything does not
        """
        self._lock_identity()
        name, _, _place = self._stored_identity().partition("@")
        if name:
            self._bind_identity(name, ELSEWHERE)
        return bool(name)

    def _confirm(self, name: str) -> None:
        self._bind_identity(name)
        self._activities().unlink()
        self.env["nameko.job"]._wake()
