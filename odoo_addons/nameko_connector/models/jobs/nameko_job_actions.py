"""The actions of users on jobs: cancel, retry, write the result again."""

import time
from collections.abc import Collection, Iterable, Sequence
from functools import partial
from typing import Any

import psycopg2.errors

from odoo import api, models
from odoo.exceptions import AccessError, UserError
from odoo.service.model import PG_CONCURRENCY_EXCEPTIONS_TO_RETRY as CONFLICTS

from ...exceptions import JobCancelled, NamekoError, PredecessorFailed, ServiceNotAllowed
from ...job_store.answers import lock_free_rows
from ...job_store.cancelled import note_cancelled
from ...job_store.events import Answer, Pace
from ...job_store.rows import LIVE, Finish, Row
from ...job_store.waiting.predecessors import begin_anew
from ...tools import job_errors
from ...tools.client_actions import Kind, notification
from ...tools.job_request import Again

AGAIN = ("failed", "cancelled")
LOCK_TRIES = 10
LOCK_FREE = "SELECT id FROM nameko_job WHERE id = ANY(%s) FOR NO KEY UPDATE SKIP LOCKED"
LOCK_PAUSE = 0.2  # s between two tries to lock jobs


class NamekoJob(models.Model):
    _inherit = "nameko.job"

    def action_cancel(self) -> dict[str, Any]:
        """Cancel these jobs; if a job is running already, its result is not written."""
        mine, skipped = self._locked_for_user()
        live = mine.filtered(lambda job: job.state in LIVE)
        live._set_cancelled(self.env._("Cancelled by %s", self.env.user.name))
        finished = self.env._("%s skipped: they are finished already.")
        return self._counted(
            self.env._("%s cancelled.", len(live)), [*skipped, (len(mine - live), finished)]
        )

    def action_retry(self) -> dict[str, Any]:
        """Retry failed and cancelled jobs; their attempts count from 0 again.

        Jobs that failed because of one of these are retried too.
        """
        mine, skipped = self._locked_for_user()
        finished = mine.filtered(lambda job: job.state in AGAIN)
        wanted = finished._of_existing_records()
        allowed = wanted._to_allowed_services()
        again = allowed._set_pending_again()
        return self._counted(
            self.env._("%s jobs will run again.", len(again))
            if len(again) != 1
            else self.env._("1 job will run again."),
            [
                *skipped,
                (len(mine - finished), self.env._("%s skipped: not failed and not cancelled.")),
                (len(finished - wanted), self.env._("%s skipped: their record no longer exists.")),
                (
                    len(wanted - allowed),
                    self.env._("%s skipped: their service may not be called any more."),
                ),
                (
                    len(allowed - again),
                    self.env._("%s skipped: another job has their identity key."),
                ),
            ],
        )

    def action_apply_again(self) -> dict[str, Any]:
        """Write the stored results of failed jobs again, without calling the service."""
        mine, skipped = self._locked_for_user()
        kept = mine.filtered(lambda job: job.state == "failed" and job.has_result)
        kept._apply_kept_results()
        failed = kept.filtered(lambda job: job.state == "failed")
        return self._counted(
            self.env._("%s results written.", len(kept - failed)),
            [
                *skipped,
                (len(mine - kept), self.env._("%s skipped: no result waits to be written.")),
                (len(failed), self.env._("%s cannot be written: the jobs' errors say why.")),
            ],
        )

    def action_open_record(self) -> dict[str, Any]:
        """Show the record that the result is for."""
        self.check_access("read")
        self.ensure_one()
        if not self.res_model or self.res_model not in self.env:
            raise UserError(self.env._("This job belongs to no record."))
        return {
            "type": "ir.actions.act_window",
            "res_model": self.res_model,
            "res_id": self.res_id,
            "views": [(False, "form")],
        }

    def _locked_for_user(self) -> tuple["NamekoJob", list[tuple[int, str]]]:
        """Lock these jobs; return the locked ones in superuser mode, and the number of others."""
        self._check_mine()
        wanted = self.union()  # each once
        locked = wanted.sudo()._locked_soon()
        in_use = self.env._("%s skipped: they are being written right now. Try again.")
        return locked, [(len(wanted) - len(locked), in_use)]

    def _check_mine(self) -> None:
        """Raise AccessError unless the jobs are the user's, or the user is a manager."""
        self.check_access("read")
        is_manager = self.env.user.has_group("nameko_connector.group_nameko_manager")
        if not (self.env.su or is_manager or self.user_id <= self.env.user):
            raise AccessError(self.env._("These jobs belong to somebody else."))

    def _locked_soon(self) -> "NamekoJob":
        """Lock these jobs, except those that stay locked for seconds or are changed meanwhile."""
        locked, waiting = self.browse(), self
        for _ in range(LOCK_TRIES):
            free, changed = waiting._lock_free()
            locked |= free
            waiting -= free | changed
            if not waiting:
                break
            time.sleep(LOCK_PAUSE)
        locked.invalidate_recordset(flush=False)
        return locked

    def _lock_free(self) -> tuple["NamekoJob", "NamekoJob"]:
        """Lock the jobs that are free; return them, and those that cannot be locked any more.

        A row that was changed since this transaction began cannot be locked in it, and raises for
        the whole statement. So the method splits the jobs in halves to find the others.
        """
        try:
            with self.env.cr.savepoint(flush=False):
                self.env.cr.execute(LOCK_FREE, [self.ids], log_exceptions=False)
                return self.browse(row for (row,) in self.env.cr.fetchall()), self.browse()
        except psycopg2.errors.SerializationFailure:
            if len(self) == 1:
                return self.browse(), self
        half = len(self) // 2
        free, changed = self[:half]._lock_free()
        more_free, more_changed = self[half:]._lock_free()
        return free | more_free, changed | more_changed

    def _to_allowed_services(self) -> "NamekoJob":
        """Return the jobs whose services may be called."""
        rpc = self.env["nameko.rpc"]
        return self.browse().union(
            *(jobs for service, jobs in self.grouped("service").items() if _allowed(rpc, service))
        )

    def _of_existing_records(self) -> "NamekoJob":
        """Return the jobs without a record or whose record exists."""
        there = {
            (model, res_id)
            for model, jobs in self.filtered("res_model").grouped("res_model").items()
            if model in self.env and not self.env[model]._abstract
            for res_id in self.env[model].sudo().browse(jobs.mapped("res_id")).exists()._ids
        }
        return self.filtered(lambda job: not job.res_model or (job.res_model, job.res_id) in there)

    def _counted(self, done: str, skipped: Iterable[tuple[int, str]]) -> dict[str, Any]:
        """Return a notification with the number of jobs that were done or skipped, and why."""
        lines: Sequence[str] = [text % count for count, text in skipped if count]
        kind: Kind = "warning" if lines else "success"
        return notification("\n".join([done, *lines]), kind, reload=True)

    # What is done to the rows, with all rights

    def _set_cancelled(self, reason: str) -> None:
        self._finish_with(self._rows_to_cancel(), JobCancelled(reason), "cancelled")
        self._wake()

    @api.model
    def _unfinished_of(self, records: models.BaseModel) -> "NamekoJob":
        domain = [("res_model", "=", records._name), ("res_id", "in", records.ids)]
        return self.search([*domain, ("state", "in", LIVE)])

    def _cancel_of_deleted(self) -> None:
        """Cancel jobs whose records were deleted, without calling `on_error`."""
        error = JobCancelled(self.env._("The record was deleted."))
        rows = self._locked_soon()._rows_to_cancel()
        self._write_finished([Finish(row, error=error, state="cancelled") for row in rows])
        self.env["nameko.live"]._note([(self._name, row.id) for row in rows])
        self._wake()

    def _rows_to_cancel(self) -> list[Row]:
        """Lock and return the unfinished jobs; have cancelled events published for sent ones."""
        rows, _ = lock_free_rows(self.env.cr, self.mapped("uuid"))
        live = [row for row in rows.values() if row.state in LIVE]
        note_cancelled(self.env.cr, [row.id for row in live if row.state == "sent"])
        return live

    def _set_pending_again(self) -> "NamekoJob":
        """Set finished jobs, and jobs that failed because of them, to pending; return them.

        A job whose identity key is used by another job is left unchanged.
        """
        jobs = self._with_successors()
        try:
            with self.env.cr.savepoint():
                again = self.browse(begin_anew(self.env.cr, jobs.ids))
        except psycopg2.errors.UniqueViolation as error:
            message = self.env._("Another job with the same identity key has been made meanwhile.")
            raise UserError(message) from error
        jobs.invalidate_recordset(flush=False)
        again._have_begun_again()
        return again

    def _have_begun_again(self) -> None:
        """Make open views of these jobs reload, which had ended, and wake the relays."""
        self.env["nameko.live"]._note([(self._name, job_id) for job_id in self.ids])
        self._wake()

    def _with_successors(self) -> "NamekoJob":
        """Return these jobs and, recursively, the jobs that failed because of them."""
        found = frontier = self
        while frontier:
            frontier = frontier.successor_ids.filtered(
                lambda job: job.error_type == PredecessorFailed.__name__
            )
            frontier = (frontier - found)._of_existing_records()
            found |= frontier
        return found

    def _finish_with(self, rows: Collection[Row], error: NamekoError, state: str) -> None:
        """Finish jobs with this error and state, and call their `on_error`."""
        ends = {row.id: Finish(row, error=error, state=state) for row in rows}
        self._write_finished(ends.values())
        for row in rows:
            if row.on_error:
                problem = self._in_savepoint(partial(self._call, row, row.on_error, error))
                if isinstance(problem, CONFLICTS):
                    raise problem
                if problem:
                    both = job_errors.both_errors(self.env, row, error, problem)
                    ends[row.id] = Finish(row, error=both, state=state)
        self._write_finished([end for end in ends.values() if end.error is not error])
        self._after_finished(ends.values())

    def _apply_kept_results(self) -> None:
        """Write the stored results of failed jobs."""
        from ...broker.jobs.body import decode  # noqa: PLC0415  loads kombu
        from ...broker.jobs.reply import Reply  # noqa: PLC0415

        rows, _ = lock_free_rows(self.env.cr, self.filtered("has_result").mapped("uuid"))
        kept = {job.uuid: job.result for job in self if job.uuid in rows}
        answers = [
            Answer(row, Reply(uuid, kept[uuid], decode(kept[uuid])))
            for uuid, row in rows.items()
            if row.state == "failed"
        ]
        ends = {answer.row.id: answer.finish() for answer in answers}
        self._write_finished(ends.values())
        failed, again = [], []
        for answer, problem in self._run_all(answers, Pace()):
            if isinstance(problem, CONFLICTS):
                raise problem
            if isinstance(problem, Again):
                again.append(answer)
            elif problem is not None:
                failed.append(self._failed(answer, problem))
        self._write_finished(failed)
        self._after_asked_again(again)
        pending = self.browse(answer.row.id for answer in again)
        pending._have_begun_again()
        ends |= {each.row.id: each for each in failed}
        self._after_finished([ends[job_id] for job_id in ends.keys() - set(pending.ids)])


def _allowed(rpc: models.BaseModel, service: str) -> bool:
    try:
        rpc._check_allowed(service)
    except ServiceNotAllowed:
        return False
    return True
