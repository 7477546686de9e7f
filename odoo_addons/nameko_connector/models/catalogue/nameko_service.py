"""The catalogue: services that are, or were, running."""

from datetime import datetime
from typing import Any

from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError, ValidationError

from ...broker.amqp.config import InvalidBrokerConfig
from ...broker.amqp.names import is_service
from ...broker.beats.beat import Service
from ...tools.configuration import broker_config, management_uri

INSTANCE_STATES = [("up", "Up"), ("late", "Late"), ("stopped", "Stopped"), ("gone", "Gone")]
STATES = [*INSTANCE_STATES, ("unknown", "Unknown")]
LIVE = ("up", "late")
MOST_SERVICES = 1_000  # listed
MOST_NOTIFIED = 20  # services at a time that managers are notified about, and that have activities
MOST_FORGOTTEN = 10  # services deleted at a time if the list is full


class NamekoService(models.Model):
    """Kept by the relay, from the events `beat` of the instances."""

    _name = "nameko.service"
    _description = "Service"
    _nameko_live = True
    _inherit = ["mail.thread", "mail.activity.mixin"]
    _mail_post_access = "read"  # managers may only read, but must be able to close activities
    _order = "name"

    name = fields.Char("Service", required=True, readonly=True)
    doc = fields.Text("Documentation", readonly=True)
    fingerprint = fields.Char(
        readonly=True, help="A digest of what an instance last reported about the service."
    )
    method_ids = fields.One2many("nameko.method", "service_id", "Methods", readonly=True)
    method_count = fields.Integer("Number of Methods", compute="_compute_method_count")
    instance_ids = fields.Many2many("nameko.instance", string="Instances", readonly=True)
    up_count = fields.Integer("Instances Up", compute="_compute_state", store=True)
    late_count = fields.Integer("Instances Late", compute="_compute_state", store=True)
    gone_count = fields.Integer("Instances Gone", compute="_compute_state", store=True)
    state = fields.Selection(
        STATES,
        compute="_compute_state",
        store=True,
        help="Up: at least one instance sends heartbeats. Late: heartbeats are missing, but an "
        "instance may come back. Stopped: the last instance stopped in order. Gone: the last "
        "instance disappeared without stopping in order. Unknown: the service sends no "
        "heartbeats, or has not for a long time.",
    )
    last_seen = fields.Datetime(compute="_compute_last_seen")

    has_management = fields.Boolean(compute="_compute_has_management")
    queue_known = fields.Boolean(readonly=True, help="RabbitMQ has information about the queue.")
    queue_ready = fields.Integer("Waiting Requests", readonly=True)
    queue_unacknowledged = fields.Integer("Unacknowledged Requests", readonly=True)
    queue_consumers = fields.Integer("Consumers", readonly=True)
    queue_rate = fields.Float("Requests per Minute", readonly=True, digits=(16, 1))
    dead_count = fields.Integer(
        "Dead Letters",
        readonly=True,
        help="Requests that the service has given up, because each ended the process that ran it "
        "several times. RabbitMQ was asked within the last minute.",
    )
    queue_checked_at = fields.Datetime(readonly=True)

    _once = models.Constraint("UNIQUE (name)", "A service is in the catalogue once.")

    @api.constrains("name")
    def _check_name(self) -> None:
        for service in self:
            if not is_service(service.name):
                raise ValidationError(
                    self.env._("The service name is longer than RabbitMQ allows: 255 bytes.")
                )

    @api.depends("method_ids")
    def _compute_method_count(self) -> None:
        for service in self:
            service.method_count = len(service.method_ids)

    @api.depends("instance_ids.state")
    def _compute_state(self) -> None:
        for service in self:
            states = service.instance_ids.mapped("state")
            service.up_count = states.count("up")
            service.late_count = states.count("late")
            service.gone_count = states.count("gone")
            service.state = next((s for s in LIVE if s in states), service._state_of_last())

    def _state_of_last(self) -> str:
        """Return the state of the instance that was seen last."""
        if not self.instance_ids:
            return "unknown"
        return str(max(self.instance_ids, key=lambda i: i.last_seen or datetime.min).state)

    @api.depends("instance_ids.last_seen")
    def _compute_last_seen(self) -> None:
        for service in self:
            service.last_seen = max(service.instance_ids.mapped("last_seen"), default=False)

    def _compute_has_management(self) -> None:
        self.has_management = bool(management_uri())

    def action_show_jobs(self) -> dict[str, Any]:
        """Show the jobs of this service."""
        self.ensure_one()
        self.check_access("read")
        action = self.env["ir.actions.act_window"]._for_xml_id("nameko_connector.nameko_job_action")
        return {**action, "context": {"search_default_service": self.name}}

    def action_dead_letters(self) -> dict[str, Any]:
        """Show the dead letters of this service."""
        self.ensure_one()
        action: dict[str, Any] = self.env["nameko.dead.letter"].action_look(self.name)
        return action

    def action_refresh_queue(self) -> None:
        """Update the state of these services' queues from RabbitMQ's management API."""
        self._check_manager()
        from ...broker.beats import management  # noqa: PLC0415  loads requests

        for service in self:
            try:
                virtual_host = broker_config().virtual_host
                report = management.queue_report(
                    management_uri(), virtual_host, f"rpc-{service.name}"
                )
            except (management.ManagementError, InvalidBrokerConfig) as error:
                text = self.env._("RabbitMQ gives no information about the queue: %s", error)
                raise UserError(text) from error
            service.sudo().write(service._queue_values(report))

    def _queue_values(self, report: Any) -> dict[str, Any]:
        return {
            "queue_known": report.is_known,
            "queue_ready": report.ready,
            "queue_unacknowledged": report.unacknowledged,
            "queue_consumers": report.consumers,
            "queue_rate": report.rate,
            "queue_checked_at": fields.Datetime.now(),
        }

    def _described(self) -> list[Service]:
        """Return what beats have said of these services and their methods."""
        return [
            Service(service.name, service.doc or "", tuple(service.method_ids._described()))
            for service in self
        ]

    def _check_manager(self) -> None:
        self.check_access("read")
        if not (self.env.su or self.env.user.has_group("nameko_connector.group_nameko_manager")):
            raise AccessError(self.env._("Only Nameko managers may ask RabbitMQ."))

    @api.ondelete(at_uninstall=False)
    def _unlink_if_gone(self) -> None:
        """Allow deletion only of services that do not run; a beat creates them again."""
        for service in self:
            if service.state in LIVE:
                text = self.env._(
                    "%s is running, so it cannot be deleted: it would be listed again.",
                    service.name,
                )
                raise UserError(text)
        self.instance_ids.sudo().unlink()

    def _tell_gone(self) -> None:
        """Create an activity for every manager, and post a message, when services are gone."""
        room = max(0, MOST_NOTIFIED - self.search_count([("activity_ids", "!=", False)]))
        text = self.env._(
            "All instances of this service are gone. Look into its log and start it again."
        )
        services = self.filtered("method_ids").with_context(mail_activity_quick_update=True)
        for number, service in enumerate(services):
            for manager in self._managers() if number < room else ():
                service.activity_schedule(
                    "mail.mail_activity_data_warning", summary=text, user_id=manager.id
                )
            service.message_post(body=text)

    def _tell_back(self) -> None:
        """Delete the activities of services that run again, and post a message."""
        for service in self.filtered(lambda s: s.method_ids and s.state in LIVE):
            service.activity_unlink(["mail.mail_activity_data_warning"])
            service.message_post(body=self.env._("The service runs again"))

    @api.model
    def _managers(self) -> models.BaseModel:
        group = self.env.ref("nameko_connector.group_nameko_manager")
        return group.all_user_ids.filtered(lambda user: user.active and not user.share)
