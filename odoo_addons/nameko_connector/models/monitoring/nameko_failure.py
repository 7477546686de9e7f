"""Groups of failed jobs with similar errors, and the actions on a whole group."""

from datetime import timedelta
from typing import Any

from markupsafe import escape

from odoo import api, fields, models
from odoo.exceptions import AccessError, ValidationError
from odoo.service.model import PG_CONCURRENCY_EXCEPTIONS_TO_RETRY as CONFLICTS

from ...job_store.monitoring import batches
from ...job_store.monitoring import failures as store
from ...tools.client_actions import notification
from ...tools.parameters import KEEP_DAYS
from ..catalogue.nameko_service_keep import QUIETLY

MOST_REMINDED = 20  # groups whose activities are created or changed at a time
ACTIVITY = "mail.mail_activity_data_warning"
WRITABLE = {"user_id", "is_ignored", "activity_ids"}
DELETED_AT_ONCE = 50


class NamekoFailure(models.Model):
    """The relay creates these from failed jobs; managers assign a responsible user."""

    _name = "nameko.failure"
    _description = "Group of Failures"
    _inherit = ["mail.thread", "mail.activity.mixin"]
    _nameko_live = True
    _order = "last_at desc, id desc"

    key = fields.Char(required=True, readonly=True)
    company_id = fields.Many2one("res.company", readonly=True, ondelete="cascade")
    service = fields.Char(readonly=True)
    method = fields.Char(readonly=True)
    error_type = fields.Char(readonly=True)
    shape = fields.Char(
        "Error Message",
        readonly=True,
        help="… stands for what differs from job to job, such as numbers and names.",
    )
    message = fields.Text("First Error in Full", readonly=True)
    job_ids = fields.One2many("nameko.job", "failure_id", "Jobs", readonly=True)
    failed_count = fields.Integer("Failed", readonly=True, aggregator="sum")
    first_at = fields.Datetime("First Failure", readonly=True)
    last_at = fields.Datetime("Last Failure", readonly=True)
    user_id = fields.Many2one(
        "res.users",
        "Responsible",
        help="Gets an activity, which closes when no failed jobs are left.",
    )
    reminded = fields.Integer(readonly=True, help="The number in the responsible's activity.")
    is_ignored = fields.Boolean(
        "Ignored",
        help="New failures of this kind are hidden, too. They are not in the Overview, and nobody "
        "gets an activity. To undo this, press Stop Ignoring.",
    )

    _once = models.UniqueIndex("(key)")

    @api.depends("service", "method")
    def _compute_display_name(self) -> None:
        for failure in self:
            name = f"{failure.service}.{failure.method}" if failure.service else ""
            failure.display_name = name or self.env._("Various errors")

    def write(self, vals: dict[str, Any]) -> bool:
        """Let users change only the responsible user, and whether the group is ignored."""
        if not self.env.su and not WRITABLE.issuperset(vals):
            raise AccessError(
                self.env._("You can change only the responsible, and whether it is ignored.")
            )
        written: bool = super().write(vals)
        if "user_id" in vals and not self.env.su:
            self._check_responsible()
        if not WRITABLE.isdisjoint(vals.keys() - {"activity_ids"}):
            self.sudo()._remind()
        return written

    def _check_responsible(self) -> None:
        """Refuse a responsible user who may not read the failure, as the activity quotes it."""
        for failure in self.filtered("user_id"):
            user = failure.user_id.sudo()
            theirs = failure.with_user(user).with_context(allowed_company_ids=user.company_ids.ids)
            if not theirs.has_access("read"):
                raise ValidationError(
                    self.env._(
                        "%s cannot see this failure. Choose a Nameko manager of its company.",
                        user.name,
                    )
                )

    # What people do with it

    def action_retry(self) -> dict[str, Any]:
        """Retry the failed jobs."""
        done: dict[str, Any] = self._failed_jobs().action_retry()
        self.sudo()._count()
        return done

    def action_cancel(self) -> dict[str, Any]:
        """Set the failed jobs to cancelled."""
        jobs = self._failed_jobs()
        jobs._check_mine()
        cancelled = store.cancel_failed(self.env.cr, jobs.ids)
        batches.count_again(self.env.cr, cancelled)
        self.env.invalidate_all(flush=False)
        self.sudo()._count()
        self._changed(jobs)
        kept = self.env._("%s skipped: their results can still be written.")
        left = [(len(jobs) - len(cancelled), kept)]
        return jobs._counted(self.env._("%s cancelled.", len(cancelled)), left)

    def action_ignore(self) -> dict[str, Any]:
        """Hide these groups and their new failures from the overview; close the activities."""
        self.write({"is_ignored": True})
        text = self.env._(
            "Ignored. New failures of this kind are hidden, too. To undo: Failures, filter Ignored."
        )
        return notification(text, "success", reload=True)

    def action_stop_ignoring(self) -> None:
        """Stop ignoring these groups."""
        self.write({"is_ignored": False})

    def action_show_jobs(self) -> dict[str, Any]:
        """Show the jobs that have failed."""
        self.check_access("read")
        action = self.env["ir.actions.act_window"]._for_xml_id("nameko_connector.nameko_job_action")
        action["domain"] = [("failure_id", "in", self.ids), ("state", "=", "failed")]
        action["context"] = {}
        return action

    def _failed_jobs(self) -> models.BaseModel:
        self.check_access("write")
        return self.env["nameko.job"].search(
            [("failure_id", "in", self.ids), ("state", "=", "failed")]
        )

    def _changed(self, jobs: models.BaseModel) -> None:
        changed = [(self._name, failure.id) for failure in self]
        changed += [(jobs._name, job.id) for job in jobs]
        self.env["nameko.live"]._note(changed)

    # The relay's work

    @api.model
    def _count(self) -> set[int]:
        """Count the jobs of all groups, update activities; return the ids of changed groups."""
        changed = self.browse(store.count_groups(self.env.cr))
        changed.invalidate_recordset(flush=False)
        self.browse(store.to_remind(self.env.cr, MOST_REMINDED))._remind()
        return set(changed.ids)

    def _remind(self) -> None:
        """Create, update or delete the activity of each group's responsible user."""
        for failure in self.with_context(mail_activity_quick_update=True, **QUIETLY):
            problem = self.env["nameko.job"]._in_savepoint(failure._remind_one)
            if not isinstance(problem, CONFLICTS):
                failure.reminded = failure.failed_count if failure._reminds() else 0

    def _reminds(self) -> bool:
        return bool(self.user_id and self.failed_count and not self.is_ignored)

    def _remind_one(self) -> None:
        user = self.user_id
        is_due = self._reminds() and user.active
        activities = self.activity_search([ACTIVITY])
        kept = activities.filtered(lambda each: is_due and each.user_id == user)[:1]
        (activities - kept).unlink()
        if not is_due:
            return
        there = self.with_context(lang=user.lang)
        summary = there.env._(
            "%(job)s: failed jobs: %(count)s", job=there.display_name, count=self.failed_count
        )
        note = there.env._(
            "%s Open the record to retry, cancel or ignore these jobs.", self.shape or ""
        )
        if kept:
            kept.summary = summary
        else:
            self.activity_schedule(
                ACTIVITY, summary=summary, note=escape(note.strip()), user_id=user.id
            )

    @api.autovacuum
    def _gc_empty(self) -> tuple[int, bool]:
        """Delete some groups that have had no failed jobs for a long time.

        :return: how many, and whether there may be more
        """
        before = fields.Datetime.now() - timedelta(days=KEEP_DAYS.value(self.env))
        empty = [("failed_count", "=", 0), ("last_at", "<", before)]
        old = self.sudo().search(empty, limit=DELETED_AT_ONCE)
        old.unlink()
        return len(old), len(old) == DELETED_AT_ONCE


class NamekoJob(models.Model):
    _inherit = "nameko.job"

    failure_id = fields.Many2one(
        "nameko.failure", readonly=True, ondelete="set null",
        groups="nameko_connector.group_nameko_manager",
    )  # fmt: skip

    # This index also serves the foreign key.
    _failure_index = models.Index("(failure_id, state, done_at) WHERE failure_id IS NOT NULL")
    _ungrouped_index = models.Index(f"(id) WHERE {store.UNGROUPED}")
