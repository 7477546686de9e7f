"""Jobs: durable calls of services. Their rows are read and written by `job_store/`."""

from datetime import timedelta
from typing import Any

from odoo import api, fields, models
from odoo.exceptions import AccessError

from ...exceptions import SendingRefused
from ...job_store import relays, retention
from ...job_store.claiming.limits import Held
from ...job_store.rows import READY
from ...job_store.waiting.keys import ENTERS, IN_LINE, IS_OPEN
from ...job_store.waiting.predecessors import WAITS
from ...tools.parameters import KEEP_DAYS

DEFAULT_PRIORITY = 10
JOBS_ARE_FOR = "nameko_connector.group_nameko_user"
CRON_SECONDS = 50  # of work in one run of the scheduled action
RESULTS_AGAIN = timedelta(minutes=1)
DELETED_AT_ONCE = 10_000
MOST_REASON = 1_000  # characters, of an error


class NamekoJob(models.Model):
    """Only `nameko.rpc` creates jobs; the relay, or a scheduled action, sends and finishes them."""

    _name = "nameko.job"
    _description = "Job"
    _nameko_live = True  # open views reload, see nameko.live
    _order = "id desc"
    _rec_name = "uuid"
    _rec_names_search = ("service", "method", "uuid")
    _log_access = True

    uuid = fields.Char("Job", required=True, readonly=True)
    service = fields.Char(required=True, readonly=True)
    method = fields.Char(required=True, readonly=True)
    arguments = fields.Text(required=True, readonly=True, prefetch=False)
    state = fields.Selection(
        [
            ("pending", "Waiting"),
            ("sent", "Running"),
            ("done", "Done"),
            ("failed", "Failed"),
            ("cancelled", "Cancelled"),
        ],
        required=True,
        readonly=True,
    )
    is_ready = fields.Boolean(
        readonly=True, help="It waits neither for its time nor for another job."
    )
    is_waiting = fields.Boolean("Waits for Other Jobs", readonly=True)

    res_model = fields.Char("Record's Model", readonly=True)
    res_id = fields.Many2oneReference("Record's ID", model_field="res_model", readonly=True)
    record_name = fields.Char("Record", compute="_compute_record_name")
    result_field = fields.Char(readonly=True)
    on_result = fields.Char("Method for the Result", readonly=True)
    on_error = fields.Char("Method for the Error", readonly=True)

    user_id = fields.Many2one("res.users", required=True, readonly=True, index=True)
    company_id = fields.Many2one("res.company", required=True, readonly=True)
    language = fields.Char(readonly=True)

    priority = fields.Integer(readonly=True, aggregator=None, help="The lower, the earlier.")
    eta = fields.Datetime("Not Before", readonly=True)
    deadline = fields.Datetime(
        readonly=True, help="If there is no answer by then, it is sent again."
    )
    timeout = fields.Float("Timeout (s)", readonly=True, aggregator=None)
    attempts = fields.Integer(readonly=True, aggregator="avg")
    attempt_ids = fields.One2many("nameko.job.attempt", "job_id", "Failed Attempts", readonly=True)
    reason = fields.Char(
        compute="_compute_reason", help="Why it waits, or why it failed or was cancelled."
    )
    sendings = fields.Integer(
        readonly=True, aggregator=None,
        help="How often it was sent in all. Unlike the attempts, it does not start again at 0 when "
        "the job is retried.",
    )  # fmt: skip
    write_tries = fields.Integer(
        "Write Attempts", readonly=True, aggregator=None,
        help="How often a relay began to write the answer and ended before it was written.",
    )  # fmt: skip
    max_attempts = fields.Integer("Maximum Attempts", readonly=True, aggregator=None)
    retry_delays = fields.Char("Retry Delays (s)", readonly=True)
    retry_on = fields.Char("Retried Errors", readonly=True)
    identity_key = fields.Char(readonly=True)
    unique_for = fields.Float("Unique For (s)", readonly=True, aggregator=None)
    limit_key = fields.Char(
        readonly=True,
        help="Jobs with the same key run one after the other, or so many at a time as allowed.",
    )
    most_at_once = fields.Integer("At a Time", readonly=True, aggregator=None)
    predecessor_ids = fields.Many2many(
        "nameko.job",
        "nameko_job_predecessor",
        "job_id",
        "predecessor_id",
        string="Waits For",
        readonly=True,
    )
    successor_ids = fields.Many2many(
        "nameko.job",
        "nameko_job_predecessor",
        "predecessor_id",
        "job_id",
        string="Jobs That Wait for This",
        readonly=True,
    )
    results_as = fields.Char(readonly=True)

    progress = fields.Float("Progress (%)", readonly=True, aggregator="avg")
    sent_at = fields.Datetime(readonly=True)
    done_at = fields.Datetime("Finished At", readonly=True)
    waited = fields.Float(
        "Waited (s)",
        readonly=True,
        aggregator="avg",
        help="From the moment it could be sent until it was sent for the last time.",
    )
    seconds = fields.Float(
        "Duration (s)",
        readonly=True,
        aggregator="avg",
        help="From the last time it was sent until the answer.",
    )
    result = fields.Text(readonly=True, prefetch=False)
    has_result = fields.Boolean(readonly=True)
    error_type = fields.Char(readonly=True)
    error_message = fields.Text(readonly=True)
    cancel_unannounced = fields.Boolean(
        readonly=True,
        help="It was cancelled after it was sent, and the services have not been informed yet.",
    )

    # Partial indexes stay small, however many jobs have finished.
    _uuid_unique = models.UniqueIndex("(uuid)")
    _identity_unique = models.UniqueIndex(
        "(identity_key) WHERE state IN ('pending', 'sent') AND identity_key IS NOT NULL"
    )
    _unique_index = models.UniqueIndex("(identity_key) WHERE unique_for IS NOT NULL")
    _ready_index = models.Index(f"(service, priority, id) WHERE {READY}")
    _ready_method_index = models.Index(f"(service, method, priority, id) WHERE {READY}")
    _eta_index = models.Index("(eta) WHERE state = 'pending' AND NOT is_ready AND NOT is_waiting")
    _line_index = models.Index(f"(limit_key, id) WHERE {IN_LINE}")
    _open_key_index = models.Index(f"(limit_key) WHERE {IS_OPEN}")
    _entering_index = models.Index(f"(eta, id) WHERE {ENTERS}")
    _waiting_index = models.Index(f"(id) WHERE {WAITS}")
    _sent_index = models.Index("(service) WHERE state = 'sent'")
    _deadline_index = models.Index("(deadline) WHERE state = 'sent'")
    _finished_index = models.Index("(done_at) WHERE state IN ('done', 'failed', 'cancelled')")
    _cancel_index = models.Index("(id) WHERE cancel_unannounced")
    _record_index = models.Index("(res_model, res_id) WHERE res_model IS NOT NULL")

    def init(self) -> None:
        """Add a column for the order of a job's predecessors."""
        self.env.cr.execute(
            "ALTER TABLE nameko_job_predecessor ADD COLUMN IF NOT EXISTS sequence integer"
        )

    @api.depends("service", "method")
    def _compute_display_name(self) -> None:
        for job in self:
            job.display_name = f"{job.service}.{job.method}"

    @api.depends("res_model", "res_id")
    @api.depends_context("uid", "lang", "allowed_company_ids")
    def _compute_record_name(self) -> None:
        """Set the display names of records that the user may read."""
        self.record_name = False
        for model, jobs in self.filtered("res_model").grouped("res_model").items():
            if model not in self.env or self.env[model]._abstract:
                continue
            records = self.env[model].browse(jobs.mapped("res_id")).exists()
            names = {each.id: each.display_name for each in records._filtered_access("read")}
            for job in jobs:
                job.record_name = names.get(job.res_id)

    @api.depends(
        "state", "is_ready", "is_waiting", "eta", "attempts", "asked_again", "error_message"
    )
    @api.depends_context("lang", "tz")
    def _compute_reason(self) -> None:
        """Set why a pending job waits and what the user can do; for other jobs, the error."""
        pending = self.filtered(lambda job: job.state == "pending")
        for job in self - pending:
            job.reason = (job.error_message or "").strip().partition("\n")[0][:MOST_REASON]
        if not pending:
            return
        away, runs = self.env["nameko.route"].sudo()._away(), self._relay_runs()
        refusal, held = self._refusal(), self.env["nameko.policy"].sudo()._held(pending)
        for job in pending:
            texts = held.get(job, Held())
            job.reason = refusal or job._waits_for(texts, job.service in away, runs)

    def _refusal(self) -> str:
        """Return why this database may not send anything; "" if it may."""
        try:
            self.env["nameko.database"]._check_may_send()
        except SendingRefused as refusal:
            return str(refusal)
        return ""

    def _outlook(self) -> str:
        """Return a text about an unfinished job's state, for the form of its record."""
        self.ensure_one()
        if self.state == "pending":
            return f"{self.display_name}: {self.reason}"
        if not self.progress:
            return self.env._("%s: sent to the service.", self.display_name)
        return self.env._(
            "%(job)s: %(progress)s %% done.", job=self.display_name, progress=round(self.progress)
        )

    @api.private
    def get_result(self) -> Any:
        """Return the result of the service; None if there is none yet."""
        self.ensure_one()
        from ...broker.jobs.body import decode  # noqa: PLC0415  loads kombu

        return decode(self.result) if self.has_result else None

    # The work of a relay, where none runs

    @api.model
    def _wake(self) -> None:
        """Notify the relays of this transaction's jobs; without a relay, trigger the cron."""
        relays.notify(self.env.cr)
        if not self._relay_runs():
            self._cron()._trigger()

    @api.model
    def _relay_runs(self) -> bool:
        """Return whether a relay works in this database; frozen relays do not count."""
        return relays.running_relays(self.env.cr, relays.FROZEN_SECONDS) > 0

    @api.model
    def _cron(self) -> models.BaseModel:
        return self.env.ref("nameko_connector.cron_move_jobs").sudo()

    @api.model
    def _cron_move_jobs(self) -> None:
        """Send pending jobs and write replies, unless a relay runs.

        If Odoo's time for this scheduled action is over, it runs again after the others.
        """
        if not self.env.su:
            raise AccessError(self.env._("Only a scheduled action may do this."))
        if self._relay_runs() or not relays.has_live_jobs(self.env.cr):
            return
        relays.end_frozen_relays(self.env.cr)
        from ...relay.fallback import move_for  # noqa: PLC0415  loads kombu

        cron = self.env["ir.cron"]
        # This commits: `move_for` uses its own transactions.
        if cron._commit_progress(remaining=relays.count_ready(self.env.cr)) <= 0:
            return
        answered = move_for(self.env.cr.dbname, CRON_SECONDS)
        self.env.cr.rollback()
        # Where nothing comes back, another run at once would be of no use.
        remaining = relays.count_ready(self.env.cr) if answered else 0
        cron._commit_progress(answered, remaining=remaining)
        if relays.has_live_jobs(self.env.cr):
            self._cron()._trigger(fields.Datetime.now() + RESULTS_AGAIN)

    @api.autovacuum
    def _gc_finished(self) -> tuple[int, int]:
        """Delete a batch of the jobs that finished too long ago.

        :return: how many, and 1 if there may be more
        """
        days = KEEP_DAYS.value(self.env)
        deleted = retention.delete_finished(self.env.cr, days, DELETED_AT_ONCE)
        self.env["nameko.job"].invalidate_model(flush=False)
        return deleted, int(deleted == DELETED_AT_ONCE)
