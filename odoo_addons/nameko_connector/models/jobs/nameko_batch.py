"""Batches: jobs that are enqueued together, with a common progress and one final message."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from babel.dates import format_timedelta

from odoo import SUPERUSER_ID, api, fields, models
from odoo.exceptions import AccessError
from odoo.service.model import PG_CONCURRENCY_EXCEPTIONS_TO_RETRY as CONFLICTS
from odoo.tools.misc import babel_locale_parse

from ...job_store.monitoring import batches as store
from ...tools.parameters import KEEP_DAYS
from ...tools.requester import env_of, requester
from ...tools.texts import clean
from .nameko_job import JOBS_ARE_FOR
from .nameko_rpc_delay import checked_callback

CHANNEL = "nameko_batch"
MOST_IDS = 1_000  # of records that a message links to
MOST_CALLED_BACK = 100  # in one run of the scheduled action
MOST_NAME = 200  # characters
MOST_SHOWN = 20  # in the menu of running batches
DELETED_AT_ONCE = 1_000


class NamekoBatch(models.Model):
    """Only `nameko.rpc`'s `delay_many` creates batches, and only the relay ends them."""

    _name = "nameko.batch"
    _description = "Batch of Jobs"
    _nameko_live = True
    _order = "id desc"

    name = fields.Char(required=True, readonly=True)
    state = fields.Selection(
        [
            ("running", "Running"),
            ("done", "Done"),
            ("failed", "With Failures"),
            ("cancelled", "Cancelled"),
        ],
        required=True,
        readonly=True,
        default="running",
    )
    job_ids = fields.One2many("nameko.job", "batch_id", "Jobs", readonly=True)
    total = fields.Integer("Number of Jobs", readonly=True, aggregator=None)
    done = fields.Integer(readonly=True)  # this and the next two are set at the end
    failed = fields.Integer(readonly=True)
    cancelled = fields.Integer(readonly=True)
    done_at = fields.Datetime("Ended At", readonly=True)

    done_count = fields.Integer("Done", compute="_compute_counts")
    failed_count = fields.Integer("Failed", compute="_compute_counts")
    cancelled_count = fields.Integer("Cancelled", compute="_compute_counts")
    left_count = fields.Integer("Left", compute="_compute_counts")
    progress = fields.Float("Progress (%)", compute="_compute_counts")
    outlook = fields.Char(compute="_compute_outlook",
                          help="How long it may still take, or why "
                          "no job has ended yet.")  # fmt: skip

    user_id = fields.Many2one("res.users", required=True, readonly=True, index=True)
    company_id = fields.Many2one("res.company", required=True, readonly=True)
    language = fields.Char(readonly=True)
    res_model = fields.Char("Record's Model", readonly=True)
    res_id = fields.Many2oneReference("Record's ID", model_field="res_model", readonly=True)
    on_done = fields.Char("Called at the End", readonly=True)
    has_called_back = fields.Boolean("Was Called", readonly=True)
    error = fields.Text("Error at the End", readonly=True)

    _running_index = models.Index("(id) WHERE state = 'running'")
    _callback_index = models.Index(
        "(id) WHERE on_done IS NOT NULL AND state <> 'running' AND has_called_back IS NOT TRUE"
    )

    @api.depends("state", "total", "done", "failed", "cancelled")
    def _compute_counts(self) -> None:
        running = self.filtered(lambda batch: batch.state == "running")
        found = store.counts(self.env.cr, running.ids) if running else {}
        for batch in self:
            ended = (batch.done, batch.failed, batch.cancelled)
            if batch in running:
                ended = found.get(batch.id, store.Counts())[2:]
            batch.done_count, batch.failed_count, batch.cancelled_count = ended
            batch.left_count = max(0, batch.total - sum(ended))
            batch.progress = 100 * sum(ended) / batch.total if batch.total else 100

    @api.depends("state", "create_date", "left_count")
    @api.depends_context("lang", "tz")
    def _compute_outlook(self) -> None:
        """Estimate the remaining time from the jobs that have ended so far."""
        locale = babel_locale_parse(self.env.lang or self.env.user.lang)
        for batch in self:
            ended = batch.total - batch.left_count
            batch.outlook = False
            if batch.state == "running" and ended:
                taken = fields.Datetime.now() - batch.create_date
                left = timedelta(seconds=taken.total_seconds() * batch.left_count / ended)
                about = format_timedelta(left, locale=locale)
                batch.outlook = (
                    self.env._("about %s left", about)
                    if left >= timedelta(seconds=1)
                    else self.env._("nearly done")
                )
            elif batch.state == "running":
                first = batch.sudo().job_ids.search(
                    [("batch_id", "=", batch.id), ("state", "=", "pending")], order="id", limit=1
                )
                batch.outlook = first.reason

    # Making one

    @api.model
    def _begin(
        self, name: str, *, record: models.BaseModel | None = None, on_done: str | None = None
    ) -> "NamekoBatch":
        """Create a batch of the current user, before its jobs."""
        target: dict[str, Any] = {}
        if record and on_done:
            record.check_access("read")
            target = {"res_model": record._name, "res_id": record.id, "on_done": on_done}
            checked_callback(record, on_done)
        values = {"name": clean(name)[:MOST_NAME], **requester(self.env), **target}
        return self.sudo().create(values).with_env(self.env)

    def _set_total(self, count: int) -> None:
        """Set the number of jobs; delete a batch without new jobs and without a callback."""
        if not (count or self.on_done):
            self.sudo().unlink()
            return
        self.sudo().total = count
        self.env["nameko.live"]._note([(self._name, self.id)])
        if self.env.user.has_group(JOBS_ARE_FOR) and self.env.uid != SUPERUSER_ID:
            self.env.user._bus_send(CHANNEL, {"begun": self.id})

    # What people do with it

    @api.model
    @api.readonly
    def my_running(self) -> list[dict[str, Any]]:
        """Return the user's newest running batches, for the menu of the web client."""
        mine = [("user_id", "=", self.env.uid), ("state", "=", "running")]
        names = ["name", "total", "left_count", "failed_count", "progress", "outlook"]
        return self.search_read(mine, names, limit=MOST_SHOWN)

    def action_cancel(self) -> dict[str, Any]:
        """Cancel the jobs that have not ended."""
        return self._jobs(("state", "in", ("pending", "sent"))).action_cancel()

    def action_retry(self) -> dict[str, Any]:
        """Retry the failed jobs."""
        return self._jobs(("state", "=", "failed")).action_retry()

    def _jobs(self, *domain: tuple[str, str, Any]) -> models.BaseModel:
        self.check_access("read")
        return self.env["nameko.job"].search([("batch_id", "in", self.ids), *domain])

    def action_show_jobs(self) -> dict[str, Any]:
        """Show the jobs; if some have failed, only those at first."""
        self.check_access("read")
        action = self.env["ir.actions.act_window"]._for_xml_id("nameko_connector.nameko_job_action")
        failed = any(self.mapped("failed_count"))
        action["domain"] = [("batch_id", "in", self.ids)]
        action["context"] = {"search_default_failed": 1} if failed else {}
        return action

    # Its end

    @api.model
    def _end(self) -> None:
        """End the batches without unfinished jobs; notify the user of each batch once."""
        ended = self.browse(store.end_finished(self.env.cr))
        if not ended:
            return
        ended.invalidate_recordset(flush=False)
        self.env["nameko.live"]._note([(self._name, batch.id) for batch in ended])
        for batch in ended:
            self.env["nameko.job"]._in_savepoint(batch._tell_end)
        if any(batch.on_done for batch in ended):
            self.env.ref("nameko_connector.cron_call_back_batches").sudo()._trigger()

    def _tell_end(self) -> None:
        if self.user_id.id == SUPERUSER_ID:
            return
        shown = self._shown()
        if shown:
            counts = {"done": self.done, "failed": self.failed, "cancelled": self.cancelled}
            message = {"id": self.id, "name": self.name, "first": self._first_error(), **counts}
            self.user_id._bus_send(CHANNEL, {**message, **shown})

    def _first_error(self) -> str:
        """Return the record and the error of the first failed job."""
        failed = [("batch_id", "=", self.id), ("state", "=", "failed")]
        job = self.env["nameko.job"].sudo().search(failed, order="id", limit=1)
        name = job.with_user(self.user_id).sudo(False).record_name
        return ": ".join(filter(None, [name, (job.reason or "")[:MOST_NAME]]))

    def _shown(self) -> dict[str, Any]:
        """Return model and domain of what the user may see: its jobs, or else their records."""
        wanted = [("batch_id", "=", self.id)]
        if self.failed:
            wanted.append(("state", "=", "failed"))
        if self.user_id.has_group(JOBS_ARE_FOR):
            return {"model": "nameko.job", "domain": wanted}
        jobs = self.env["nameko.job"].sudo().search(wanted, limit=MOST_IDS)
        models_ = set(jobs.mapped("res_model"))
        if len(models_) != 1 or not (model := models_.pop()):
            return {}
        return {"model": model, "domain": [("id", "in", jobs.mapped("res_id"))]}

    @api.model
    def _cron_call_back(self) -> None:
        """Call the `on_done` methods of ended batches, each in its own transaction."""
        if not self.env.su:
            raise AccessError(self.env._("Only a scheduled action may do this."))
        due = [
            ("on_done", "!=", False),
            ("state", "!=", "running"),
            ("has_called_back", "=", False),
        ]
        waiting = self.search(due, order="id", limit=MOST_CALLED_BACK)
        for number, batch in enumerate(waiting, 1):
            if batch.try_lock_for_update():
                batch._have_called_back()
            # This commits the effects of the callback and has_called_back together.
            self.env["ir.cron"]._commit_progress(1, remaining=len(waiting) - number)

    def _have_called_back(self) -> None:
        """Call `on_done`; note that it was called, and its error.

        :raises psycopg2.Error: a conflict with another transaction
        """
        error = self.env["nameko.job"]._in_savepoint(self._call_back)
        if isinstance(error, CONFLICTS):
            raise error
        self.write({"has_called_back": True, "error": error and clean(str(error))})

    def _call_back(self) -> None:
        """Call `on_done` with the user, company and language of the batch."""
        env = env_of(self.env, self.user_id.id, self.company_id.id, self.language)
        record = env[self.res_model].browse(self.res_id)
        if record.exists():
            getattr(record, checked_callback(record, self.on_done))(self.with_env(env).sudo())

    @api.autovacuum
    def _gc_ended(self) -> tuple[int, bool]:
        """Delete some batches that ended too long ago.

        :return: how many, and whether there may be more
        """
        before = fields.Datetime.now() - timedelta(days=KEEP_DAYS.value(self.env))
        old = self.sudo().search([("done_at", "<", before)], limit=DELETED_AT_ONCE)
        old.unlink()
        return len(old), len(old) == DELETED_AT_ONCE


class NamekoJob(models.Model):
    _inherit = "nameko.job"

    batch_id = fields.Many2one("nameko.batch", readonly=True, ondelete="set null")

    _batch_index = models.Index("(batch_id, state) WHERE batch_id IS NOT NULL")

    def _have_begun_again(self) -> None:
        store.begin_again(self.env.cr, self.ids)
        batches = self.batch_id
        batches.invalidate_recordset(flush=False)
        self.env["nameko.live"]._note([("nameko.batch", batch_id) for batch_id in batches.ids])
        return super()._have_begun_again()

    def _after_finished(self, finished: Sequence[Any]) -> None:
        batches = {each.row.batch_id for each in finished if each.row.batch_id}
        self.env["nameko.live"]._note([("nameko.batch", batch_id) for batch_id in batches])
        return super()._after_finished(finished)
