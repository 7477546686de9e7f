"""Jobs: durable calls of services. Their rows are read and written by `job_store/`."""

from datetime import timedelta
from typing import Any

from odoo import api, fields, models
from odoo.exceptions import AccessError

from ..job_store import relays, retention
from ..job_store.rows import READY
from ..tools.parameters import KEEP_DAYS

DEFAULT_PRIORITY = 10
CRON_SECONDS = 50  # of work in one run of the scheduled action
RESULTS_AGAIN = timedelta(minutes=1)
DELETED_AT_ONCE = 10_000


class NamekoJob(models.Model):
    """Made by `nameko.rpc`'s `delay`, sent and finished by the relay, and by nobody else."""

    _name = "nameko.job"
    _description = "Job"
    _nameko_live = True  # open views reload, see nameko.live
    _order = "id desc"
    _rec_name = "uuid"
    _log_access = True

    uuid = fields.Char("Job", required=True, readonly=True)
    service = fields.Char(required=True, readonly=True)
    method = fields.Char(required=True, readonly=True)
    arguments = fields.Text(required=True, readonly=True, prefetch=False)
    state = fields.Selection(
        [
            ("pending", "Pending"),
            ("sent", "Sent"),
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
    cancel_untold = fields.Boolean(
        readonly=True,
        help="It was cancelled after it was sent, and the services have not been informed yet.",
    )

    # Each index holds live rows only: it stays small however many jobs have finished.
    _uuid_unique = models.UniqueIndex("(uuid)")
    _identity_unique = models.UniqueIndex(
        "(identity_key) WHERE state IN ('pending', 'sent') AND identity_key IS NOT NULL"
    )
    _ready_index = models.Index(f"(service, priority, id) WHERE {READY}")
    _eta_index = models.Index("(eta) WHERE state = 'pending' AND NOT is_ready AND NOT is_waiting")
    _waiting_index = models.Index("(id) WHERE state = 'pending' AND is_waiting")
    _sent_index = models.Index("(service) WHERE state = 'sent'")
    _deadline_index = models.Index("(deadline) WHERE state = 'sent'")
    _finished_index = models.Index("(done_at) WHERE state IN ('done', 'failed', 'cancelled')")
    _cancel_index = models.Index("(id) WHERE cancel_untold")
    _record_index = models.Index("(res_model, res_id) WHERE res_model IS NOT NULL")

    def init(self) -> None:
        """Keep the order of the jobs that one waits for."""
        self.env.cr.execute(
            "ALTER TABLE nameko_job_predecessor ADD COLUMN IF NOT EXISTS sequence integer"
        )

    @api.depends("service", "method")
    def _compute_display_name(self) -> None:
        for job in self:
            job.display_name = f"{job.service}.{job.method}"

    @api.private
    def get_result(self) -> Any:
        """Return what the service returned, None where nothing has come yet."""
        self.ensure_one()
        from ..broker.jobs.body import decode  # noqa: PLC0415  loads kombu

        return decode(self.result) if self.has_result else None

    # The work of a relay, where none runs

    @api.model
    def _wake(self) -> None:
        """Have this transaction's jobs seen to once it is committed, by a relay or the cron."""
        relays.notify(self.env.cr)
        if not self._relay_runs():
            self._cron()._trigger()

    @api.model
    def _relay_runs(self) -> bool:
        """Tell whether a relay works in this database: one that is frozen does not."""
        return relays.running_relays(self.env.cr, relays.FROZEN_SECONDS) > 0

    @api.model
    def _cron(self) -> models.BaseModel:
        return self.env.ref("nameko_connector.cron_move_jobs").sudo()

    @api.model
    def _cron_move_jobs(self) -> None:
        """Send what is pending and write what is answered, unless a relay does."""
        if not self.env.su:
            raise AccessError(self.env._("Only a scheduled action may do this."))
        if self._relay_runs() or not relays.has_live_jobs(self.env.cr):
            return
        relays.end_frozen_relays(self.env.cr)
        from ..relay.fallback import move_for  # noqa: PLC0415  loads kombu

        # The work goes on in transactions of its own.
        self.env.cr.commit()  # pylint: disable=invalid-commit
        move_for(self.env.cr.dbname, CRON_SECONDS)
        self.env.cr.rollback()
        if relays.has_live_jobs(self.env.cr):
            self._cron()._trigger(fields.Datetime.now() + RESULTS_AGAIN)

    @api.autovacuum
    def _gc_finished(self) -> tuple[int, int]:
        """Delete a batch of the jobs that finished too long ago.

        :return: how many, and 1 if there may be more
        """
        days = KEEP_DAYS.read(self.env)
        deleted = retention.delete_finished(self.env.cr, days, DELETED_AT_ONCE)
        self.env["nameko.job"].invalidate_model(flush=False)
        return deleted, int(deleted == DELETED_AT_ONCE)
