"""Asking which database this is, and taking the answer: the original, moved here, or a copy."""

import logging
import uuid

from odoo import api, models

from .nameko_job_dispatch import NOW

_logger = logging.getLogger(__name__)
ACTIVITY = "nameko_compute.activity_database"
ADMINISTRATORS = "base.group_system"
ANSWER_SECONDS = 300  # that jobs sent before the database moved have at most to be answered
ELSEWHERE = "elsewhere"  # a place in which no database is


class NamekoJob(models.Model):
    _inherit = "nameko.job"

    @api.model
    @api.private
    def ask_administrators(self) -> None:
        """Give each administrator one activity, for as long as this database asks.

        Call it in a transaction of level READ COMMITTED that has just begun.
        """
        self._lock_identity()
        if not self._is_asking() or self._activities():
            return
        administrators = self.env.ref(ADMINISTRATORS).all_user_ids
        values = {
            "activity_type_id": self.env.ref(ACTIVITY).id,
            "summary": self.env._("Nameko: was this database moved, or is it a copy?"),
            "note": self.env._(
                "It is not where it was. Nothing is sent to services, and no result is written, "
                "until you say under Settings, Nameko, which it is."
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
        """Return the activities of this question, done ones as well."""
        activities = self.env["mail.activity"].sudo().with_context(active_test=False)
        return activities.search([("activity_type_id", "=", self.env.ref(ACTIVITY).id)])

    @api.model
    def _answer_moved(self) -> bool:
        """Take it that the original moved here: it keeps its name, and its jobs go on.

        What it had sent is sent again soon, unless its replies wait in the broker: they may have
        been taken after the backup was made.

        :return: whether the database asked; if not, nothing is changed
        """
        self._lock_identity()
        if not self._is_asking():
            return False
        self._shorten_deadlines()
        name, _, _place = self._stored_identity().partition("@")
        self._confirm(name)
        return True

    @api.model
    def _answer_copy(self) -> bool:
        """Take it that this is a copy: its live jobs are cancelled, and it gets a name of its own.

        :return: whether the database asked; if not, nothing is changed
        """
        self._lock_identity()
        if not self._is_asking():
            return False
        self._disown_jobs()
        self._confirm(uuid.uuid4().hex)
        return True

    @api.model
    def _ask_again(self) -> bool:
        """Have the database ask, as a physical copy should that cannot notice that it is one.

        :return: whether it asks now; one that has never sent anything does not
        """
        self._lock_identity()
        name, _, _place = self._stored_identity().partition("@")
        if name:
            self._bind_identity(name, ELSEWHERE)
        return bool(name)

    def _confirm(self, name: str) -> None:
        self._bind_identity(name)
        self._activities().unlink()
        self._wake()

    def _shorten_deadlines(self) -> None:
        """Have jobs sent again soon whose replies are gone; that costs them no attempt."""
        self.env.cr.execute(  # pylint: disable=sql-injection
            f"""
            UPDATE nameko_job
               SET deadline = least(deadline, {NOW} + interval '1 second' * %s),
                   max_attempts = greatest(max_attempts, attempts + 1)
             WHERE state = 'sent'
            """,  # noqa: S608  constants
            [ANSWER_SECONDS],
        )
        self.env["nameko.job"].invalidate_model(flush=False)

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
        _logger.warning("This database is a copy: %s jobs were cancelled", self.env.cr.rowcount)
        self.env.cr.execute("UPDATE nameko_job SET cancel_untold = false WHERE cancel_untold")
        self.env["nameko.job"].invalidate_model(flush=False)
