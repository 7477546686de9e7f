"""Write the answers of jobs with the rights of their users, each exactly once."""

import logging
from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING

import psycopg2.errors

from odoo import api, models
from odoo.service.model import PG_CONCURRENCY_EXCEPTIONS_TO_RETRY as CONFLICTS

from ...exceptions import PredecessorFailed, user_error
from ...job_store import answers as store
from ...job_store.dispatch import retry_later
from ...job_store.events import Answer, Applied, Event, GivenUp, Pace, Postponed
from ...job_store.monitoring.attempts import note_failed
from ...job_store.monitoring.statistics import add_finished
from ...job_store.records import locked_records
from ...job_store.rows import LIVE, Finish, Lost, Row, describe
from ...tools import job_errors
from ...tools.job_request import Again
from ...tools.requester import env_of

if TYPE_CHECKING:
    from ...broker.jobs.reply import ArrivedReply, Reply

_logger = logging.getLogger(__name__)


class NamekoJob(models.Model):
    _inherit = "nameko.job"

    @api.model
    @api.private
    def apply_replies(self, events: Sequence[Event], pace: Pace | None = None) -> Applied:
        """Finish the jobs that these replies answer, in the current transaction.

        A reply to a job that has finished already is dropped. The caller commits, and only then
        acknowledges the replies.

        :raises psycopg2.Error: one of PG_CONCURRENCY_EXCEPTIONS_TO_RETRY: roll back and do it again
        """
        pace = pace or Pace()
        rows, locked = store.lock_free_rows(
            self.env.cr, dict.fromkeys(event.uuid for event in events)
        )
        applied = Applied(busy=locked)
        applied.unknown = {e.uuid for e in events if not isinstance(e, Lost)} - rows.keys() - locked
        answers = self._admitted(self._answers(rows, events), pace, applied)
        answers = self._with_locked_records(answers, applied)
        again = {
            a.row.id: (a.row, a.error)
            for a in answers
            if a.error and a.reply is not None and a.row.retries(describe(a.error)[0])
        }
        note_failed(self.env.cr, again.values())
        retry_later(self.env.cr, list(again))
        self._apply([answer for answer in answers if answer.row.id not in again], pace, applied)
        return applied

    @api.model
    @api.private
    def fail_reply(self, event: Event, problem: Exception | GivenUp) -> set[str]:
        """Fail a job whose answer cannot be written; keep its result.

        :return: its uuid if the row is locked, and nothing was written; else an empty set
        """
        rows, locked = store.lock_free_rows(self.env.cr, [event.uuid])
        text = None if isinstance(event, Lost) or event.error or event.unreadable else event.text
        live = [r for r in rows.values() if r.state in LIVE and not _is_of_earlier_round(r, event)]
        finished = [Finish(row, text, self._given_up(row, problem, text)) for row in live]
        self._write_finished(finished)
        self._after_finished(finished)
        return locked

    def _given_up(self, row: Row, problem: Exception | GivenUp, text: str | None) -> Exception:
        if isinstance(problem, Exception):
            return problem
        return job_errors.not_written(self._env_of(row), row, problem, has_result=text is not None)

    # What each job gets

    def _answers(self, rows: dict[str, Row], events: Sequence[Event]) -> list[Answer]:
        """Return, for each job that waits for an answer, the first valid one."""
        answers: dict[str, Answer] = {}
        for event in events:
            row = rows.get(event.uuid)
            if row is not None and event.uuid not in answers:
                answer = self._answer(row, event)
                if answer is not None:
                    answers[event.uuid] = answer
        return list(answers.values())

    def _answer(self, row: Row, event: Event) -> Answer | None:
        if isinstance(event, Lost):
            return self._lost_answer(row, event)
        if not (row.state in LIVE or self._takes_late_result(row)):
            return None  # without decoding the reply
        if _is_of_earlier_round(row, event):
            return None  # that round's answer was written already
        if not (event.error or event.unreadable):
            return self._result_answer(row, event)
        attempt = getattr(event, "attempt", None)
        if row.state != "sent" or (attempt is not None and attempt != row.attempt):
            # The job is or was sent again: only an error of the current attempt counts.
            _logger.info("Job %s: an error of attempt %s is ignored", row.uuid, attempt)
            return None
        return Answer(row, event, job_errors.reply_error(self._env_of(row), row, event))

    def _result_answer(self, row: Row, reply: "Reply | ArrivedReply") -> Answer | None:
        """Return the answer; if the job has failed, store the result for Write Result Again."""
        if row.state in LIVE:
            return Answer(row, reply)
        if self._takes_late_result(row):
            env = self._env_of(row)
            note = env._("The result came later. Write Result Again writes it.")
            store.keep_result(self.env.cr, row, reply.text, note)
            self._forget_rows([row])
        return None

    def _takes_late_result(self, row: Row) -> bool:
        failed = row.state == "failed" and not row.has_result
        return failed and row.error_type != "PredecessorFailed"

    def _lost_answer(self, row: Row, lost: Lost) -> Answer | None:
        env = self._env_of(row)
        if lost.why == "predecessor":
            is_waiting = row.state == "pending" and row.is_waiting
            text = env._("A job that it waited for has failed or was cancelled.")
            return Answer(row, None, PredecessorFailed(text)) if is_waiting else None
        if lost.error:
            is_held = row.state == "pending" and not row.is_ready
            return Answer(row, None, user_error(lost.error, env)) if is_held else None
        if lost.why == "away":
            is_ready = row.state == "pending" and row.is_ready
            return Answer(row, None, job_errors.service_away(env, row)) if is_ready else None
        is_lost = row.state == "sent" and row.attempt == lost.attempt
        return Answer(row, None, job_errors.no_answer(env, row)) if is_lost else None

    def _env_of(self, row: Row) -> api.Environment:
        """Return the environment of the job's user, company and language."""
        return env_of(self.env, row.user_id, row.company_id, row.language, nameko_job=row.uuid)

    # Which of them now

    def _admitted(self, answers: Iterable[Answer], pace: Pace, applied: Applied) -> list[Answer]:
        admitted = []
        for answer in answers:
            if pace.admits(answer.row, answer.key):
                admitted.append(answer)
            else:
                applied.later[answer.row.uuid] = answer.key
        return admitted

    def _with_locked_records(self, answers: Sequence[Answer], applied: Applied) -> list[Answer]:
        """Lock the records; return the answers whose records were not locked by others."""
        locked = locked_records(self.env, {a.target for a in answers if a.key and a.row.res_id})
        if not locked:
            return list(answers)
        busy = {a.row.uuid for a in answers if a.key and a.target in locked}
        store.lease(self.env.cr, busy)
        applied.busy |= busy
        return [answer for answer in answers if answer.row.uuid not in busy]

    # Writing

    def _apply(self, answers: Sequence[Answer], pace: Pace, applied: Applied) -> None:
        """Finish the jobs, then run their callbacks; restore the jobs that must wait.

        A callback runs after its job is finished, so it may enqueue one with the same identity key.
        If it returns `Again`, its job is pending again.
        """
        ends = {answer.row.id: answer.finish() for answer in answers}
        self._write_finished(ends.values())
        failed: list[Finish] = []
        back: list[Row] = []
        again: list[Answer] = []
        for answer, problem in self._run_all(answers, pace):
            if isinstance(problem, Again):
                again.append(answer)
            elif isinstance(problem, (Postponed, *CONFLICTS)):
                back.append(answer.row)
                is_locked = isinstance(problem, psycopg2.errors.LockNotAvailable)
                (applied.busy if is_locked else applied.again).add(answer.row.uuid)
            elif problem is not None:
                failed.append(self._failed(answer, problem))
        self._write_finished(failed)
        self._put_back(back)
        self._after_asked_again(again)
        ends |= {finish.row.id: finish for finish in failed}
        unfinished = {row.id for row in (*back, *(answer.row for answer in again))}
        self._after_finished([end for job_id, end in ends.items() if job_id not in unfinished])

    def _failed(self, answer: Answer, problem: Exception) -> Finish:
        if not answer.error:
            return answer.finish(problem)
        both = job_errors.both_errors(self.env, answer.row, answer.error, problem)
        return Finish(answer.row, error=both)

    def _write_finished(self, finished: Collection[Finish]) -> None:
        """Finish these jobs; notify the relays of those for which other jobs wait."""
        store.write_finished(self.env.cr, finished)
        self._forget_rows(each.row for each in finished)

    def _put_back(self, rows: Collection[Row]) -> None:
        """Restore jobs to their state before this transaction finished them."""
        store.put_back(self.env.cr, rows)
        self._forget_rows(rows)

    def _forget_rows(self, rows: Iterable[Row]) -> None:
        self.browse(row.id for row in rows).invalidate_recordset(flush=False)

    def _after_finished(self, finished: Collection[Finish]) -> None:
        """Store failed attempts and statistics of finished jobs, and make open views reload."""
        sent = [each for each in finished if not each.state and each.row.state == "sent"]
        note_failed(self.env.cr, [(each.row, each.error) for each in sent if each.error])
        add_finished(self.env.cr, [each.row.id for each in finished])
        changed = {(self._name, each.row.id) for each in finished}
        changed |= {(each.row.res_model, each.row.res_id) for each in finished if each.row.res_id}
        self.env["nameko.live"]._note(changed)


def _is_of_earlier_round(row: Row, event: Event) -> bool:
    """Return whether this answers a request from before the job was asked again."""
    return not isinstance(event, Lost) and row.is_of_earlier_round(event.attempt)
