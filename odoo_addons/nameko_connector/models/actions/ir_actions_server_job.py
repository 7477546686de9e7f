"""Server actions of the type “Call a Nameko service” that run later, as jobs.

Each user gets one notification of failed jobs, whatever their number.
"""

from collections.abc import Collection
from functools import partial
from typing import Any

from odoo import fields, models
from odoo.exceptions import UserError

from ...action.arguments import evaluated, scope_of, unusable
from ...action.outcomes import Outcomes, post
from ...broker.amqp.request import Request
from ...exceptions import NamekoError, UnusableExpression
from ...job_store.events import Answer
from ...job_store.rows import Finish
from ...tools.job_request import JobOptions, JobRequest
from ..jobs.nameko_job import JOBS_ARE_FOR

ON_RESULT = "_on_nameko_action_result"
ON_ERROR = "_on_nameko_action_error"
MOST_KEY = 255
TOLD = "nameko_failures"
MOST_IDS = 1000  # of failed jobs, or of their records, that a message links to


class NamekoJob(models.Model):
    _inherit = "nameko.job"

    server_action_id = fields.Many2one(
        "ir.actions.server",
        readonly=True,
        ondelete="set null",
        index="btree_not_null",
        help="The server action that asked for this job and takes its result.",
    )

    def _failed(self, answer: Answer, problem: Exception) -> Finish:
        """Call the action's `on_error` too if a result cannot be written; the result is kept."""
        if not answer.error and answer.row.on_error == ON_ERROR:
            self._in_savepoint(partial(self._call, answer.row, ON_ERROR, problem))
        return super()._failed(answer, problem)

    def _after_finished(self, finished: Collection[Finish]) -> None:
        """Notify the users of failed jobs, with one message per user and server action.

        Jobs of a batch are left out: the batch has its own message when it ends.
        """
        failed = {each.row.id: each for each in finished if each.error}
        jobs = (
            self.sudo()
            .browse(failed)
            .filtered(lambda job: job.server_action_id and not job.batch_id)
        )
        for (user, action), theirs in jobs.grouped(
            lambda job: (job.user_id, job.server_action_id)
        ).items():
            if action.nameko_on_error == "raise" and user.id != self.env.uid:
                self._in_savepoint(
                    lambda: theirs._tell_failed(user, action, failed[theirs[0].id])  # noqa: B023
                )
        return super()._after_finished(finished)

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
        """Return model and ids of what the user may see: these jobs, or else their records."""
        if user.has_group(JOBS_ARE_FOR):
            return {self._name: self.ids}
        by_model = self.grouped("res_model").items()
        return {model: jobs.mapped("res_id") for model, jobs in by_model if model}


class IrActionsServer(models.Model):
    _inherit = "ir.actions.server"

    def _nameko_delay(self, requests: Outcomes) -> Outcomes:
        """Enqueue a job for each request; return by target the job or the error."""
        outcomes = {
            target: self._nameko_job_or_error(target, request)
            for target, request in requests.items()
        }
        wanted = {t: each for t, each in outcomes.items() if isinstance(each, JobRequest)}
        if not wanted:
            return outcomes
        jobs = next(iter(wanted)).env["nameko.rpc"].delay_many(wanted.values(), name=self.name)
        # A job that already had the identity key keeps its action.
        jobs.sudo().filtered(lambda job: not job.server_action_id).server_action_id = self.id
        return {**outcomes, **dict(zip(wanted, jobs, strict=True))}

    def _nameko_job_or_error(
        self, target: models.BaseModel, request: Request | UnusableExpression
    ) -> JobRequest | NamekoError:
        if isinstance(request, UnusableExpression):
            return request
        try:
            options = self._nameko_job_options(target)
            wanted = JobRequest(
                request.service, request.method, request.args, request.kwargs, options
            )
            target.env["nameko.rpc"]._encode_arguments(wanted)
        except NamekoError as error:  # concerns this record only
            return error
        return wanted

    def _nameko_job_options(self, target: models.BaseModel) -> JobOptions:
        on_result = None if self.nameko_result_kind == "nothing" else ON_RESULT
        on_error = None if self.nameko_on_error == "ignore" else ON_ERROR
        return JobOptions(
            record=target or None,
            on_result=on_result if target else None,
            on_error=on_error if target else None,
            priority=self.nameko_priority,
            timeout=self.nameko_timeout or None,
            max_attempts=self.nameko_max_attempts or None,
            identity_key=self._nameko_identity(target),
        )

    def _nameko_identity(self, target: models.BaseModel) -> str | None:
        """Return the identity key, with a prefix that makes it unique to this action."""
        expression = self.nameko_identity_key
        if not expression:
            return None
        name = self._fields["nameko_identity_key"]._description_string(self.env)
        key = str(evaluated(self, expression, scope_of(self, target), name))
        if len(key) > MOST_KEY or not key.isprintable():
            reason = self.env._("it is too long, or cannot be printed")
            raise unusable(self, expression, name, target, reason)
        return f"{self._name},{self.id}:{key}"

    def _nameko_job_done(self, target: models.BaseModel, answer: Any) -> None:
        """Write a job's result as the action is configured now; raise if that is not possible."""
        self._nameko_check_access(target)
        self._nameko_write({target: self._nameko_value(target, answer)})

    def _nameko_job_failed(self, target: models.BaseModel, error: Exception) -> None:
        """Post the error in the chatter if the action is set to; `_after_finished` tells users."""
        if self.nameko_on_error == "chatter":
            post(target, str(error))


class Base(models.AbstractModel):
    """The callbacks of jobs of server actions, for any model that can be a target."""

    _inherit = "base"

    def _on_nameko_action_result(self, result: Any) -> None:
        target, action = self._of_nameko_action()
        action._nameko_job_done(target, result)

    def _on_nameko_action_error(self, error: Exception) -> None:
        target, action = self._of_nameko_action()
        action._nameko_job_failed(target, error)

    def _of_nameko_action(self) -> tuple[models.BaseModel, models.BaseModel]:
        """Return the record, with the user's rights, and the action of the current job."""
        jobs = self.env["nameko.job"].sudo()
        job = jobs.search([("uuid", "=", self.env.context["nameko_job"])])
        action = job.server_action_id
        if action.model_id.model != self._name:
            raise UserError(
                self.env._(
                    "The server action that asked for this was deleted, or now belongs to another "
                    "model."
                )
            )
        return self.with_context(nameko_job=False), action
