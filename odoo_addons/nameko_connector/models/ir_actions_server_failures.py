"""Failed jobs of a server action: one notification for each user who asked for some."""

from collections.abc import Collection
from typing import Any

from odoo import models

from ..job_store.rows import Finish

TOLD = "nameko_failures"
MOST_IDS = 1000  # of failed jobs, or of their records, that a message leads to
JOBS_ARE_FOR = "nameko_connector.group_nameko_user"


class NamekoJob(models.Model):
    _inherit = "nameko.job"

    def _tell_finished(self, finished: Collection[Finish]) -> None:
        """Tell the users what has failed, one message for each of them and server action."""
        failed = {each.row.id: each for each in finished if each.error}
        jobs = self.sudo().browse(failed).filtered(lambda job: job.server_action_id)
        for (user, action), theirs in jobs.grouped(
            lambda job: (job.user_id, job.server_action_id)
        ).items():
            if action.nameko_on_error == "raise" and user.id != self.env.uid:
                self._in_savepoint(
                    lambda: theirs._tell_failed(user, action, failed[theirs[0].id])  # noqa: B023
                )
        return super()._tell_finished(finished)

    def _tell_failed(self, user: models.BaseModel, action: models.BaseModel, first: Finish) -> None:
        record = self._env_of(first.row)[first.row.res_model].browse(first.row.res_id)
        for model, ids in self._shown_to(user).items():
            user._bus_send(
                TOLD,
                {
                    "action": action.id,
                    "title": action.name,
                    "text": f"{record.display_name}: {first.error}",
                    "count": len(ids),
                    "model": model,
                    "ids": ids[:MOST_IDS],
                },
            )

    def _shown_to(self, user: models.BaseModel) -> dict[str, Any]:
        """Return what the user may see: these jobs, or else the records that they are for."""
        if user.has_group(JOBS_ARE_FOR):
            return {self._name: self.ids}
        by_model = self.grouped("res_model").items()
        return {model: jobs.mapped("res_id") for model, jobs in by_model if model}
