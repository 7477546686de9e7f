"""The kind of server action “Call a Nameko service”: what it consists of."""

from odoo import api, fields, models
from odoo.fields import Command

from ..tools.fields import Int4
from ..tools.results import FIELD_TYPES
from .nameko_job import DEFAULT_PRIORITY

KIND = "nameko"
MANAGER = "nameko_connector.group_nameko_manager"


class IrActionsServer(models.Model):
    _inherit = "ir.actions.server"

    state = fields.Selection(
        selection_add=[(KIND, "Call a Nameko service"), ("webhook",)],
        ondelete={KIND: lambda actions: actions._unlink_with_schedules()},
    )
    nameko_method_id = fields.Many2one(
        "nameko.method",
        "Method from the Catalogue",
        ondelete="set null",
        help="Methods of services that run or have run. Leave it empty to type service and method.",
    )
    nameko_signature = fields.Char("Parameters", related="nameko_method_id.signature")
    nameko_doc = fields.Text("Documentation", related="nameko_method_id.doc")
    nameko_service = fields.Char(
        "Service", compute="_compute_nameko_names", store=True, readonly=False, copy=True
    )
    nameko_method = fields.Char(
        "Method", compute="_compute_nameko_names", store=True, readonly=False, copy=True
    )
    nameko_parameter_ids = fields.One2many(
        "nameko.action.parameter",
        "action_id",
        "Parameters of the Method",
        compute="_compute_nameko_parameter_ids",
        store=True,
        readonly=False,
        copy=True,
    )
    nameko_by_domain = fields.Boolean(
        "Run on Records That Match",
        help="For runs without selected records, such as a scheduled action's. If not set, such a "
        "run makes one call without a record.",
    )
    nameko_domain = fields.Char("Records", default="[]")
    nameko_when = fields.Selection(
        [
            ("now", "Now: wait for the answer"),
            ("later", "Later: as a job, for work that takes long"),
        ],
        "When",
        default="now",
    )
    nameko_timeout = fields.Float(
        "Timeout (s)",
        help="How long an answer may take. 0: for a call now, the timeout in odoo.conf; for a job, "
        "the one in the settings.",
    )
    nameko_priority = Int4(
        "Job's Priority", default=DEFAULT_PRIORITY, help="The lower, the earlier."
    )
    nameko_max_attempts = Int4(
        "Maximum Attempts",
        help="How often it is sent where no answer comes in time. 0: as the settings say.",
    )
    nameko_identity_key = fields.Char(
        "Identity Key",
        help="An expression such as record.id. While a job of this action with the same value is "
        "unfinished, no second one is made.",
    )
    nameko_result_kind = fields.Selection(
        [
            ("field", "Write into a field"),
            ("chatter", "Post in the chatter"),
            ("nothing", "Ignore"),
        ],
        "Result",
        default="field",
    )
    nameko_result_field_id = fields.Many2one(
        "ir.model.fields",
        "Field for the Result",
        domain=f"[('model_id', '=', model_id), ('ttype', 'in', {list(FIELD_TYPES)!r}),"
        " ('readonly', '=', False), ('store', '=', True)]",
        ondelete="set null",
        index="btree_not_null",
    )
    nameko_result_path = fields.Char(
        "Part of the Result",
        help="Names and numbers with dots between them, such as quote.total or lines.0.price. "
        "Empty: all of it.",
    )
    nameko_on_error = fields.Selection(
        [("raise", "Tell the user"), ("chatter", "Post in the chatter"), ("ignore", "Ignore")],
        "On Error",
        default="raise",
    )

    def _unlink_with_schedules(self) -> None:
        """Delete these actions where the addon goes: a scheduled action would keep its own."""
        schedules = self.env["ir.cron"].with_context(active_test=False)
        schedules.search([("ir_actions_server_id", "in", self.ids)]).unlink()
        self.exists().unlink()

    @api.depends("nameko_method_id")
    def _compute_nameko_names(self) -> None:
        take_names(self)

    @api.depends("nameko_method_id")
    def _compute_nameko_parameter_ids(self) -> None:
        offer_parameters(self)

    def _compute_allowed_states(self) -> None:  # pylint: disable=missing-return
        """Offer this kind to those who may design it."""
        super()._compute_allowed_states()
        if not self.env.user.has_group(MANAGER):
            for action in self:
                offered = action.allowed_states or []
                action.allowed_states = [name for name in offered if name != KIND]

    def _name_depends(self) -> list[str]:
        return [*super()._name_depends(), "nameko_service", "nameko_method"]

    def _generate_action_name(self) -> str:
        self.ensure_one()
        if self.state == KIND and self.nameko_service and self.nameko_method:
            return self.env._("Call %s", f"{self.nameko_service}.{self.nameko_method}")
        return super()._generate_action_name()

    @api.model
    def _warning_depends(self) -> list[str]:
        return [
            *super()._warning_depends(),
            "nameko_service",
            "nameko_method",
            "nameko_result_kind",
            "nameko_result_field_id",
            "nameko_on_error",
        ]

    def _get_warning_messages(self) -> list[str]:
        warnings = super()._get_warning_messages()
        return [*warnings, *self._nameko_warnings()] if self.state == KIND else warnings

    def _nameko_warnings(self) -> list[str]:
        """Say what keeps the action from running; some of it can come after it was saved."""
        warnings = []
        if not (self.nameko_service and self.nameko_method):
            warnings.append(self.env._("Choose a method, or type a service and a method."))
        if self.nameko_result_kind == "field" and not self.nameko_result_field_id:
            warnings.append(self.env._("Choose the field that takes the result."))
        posts = "chatter" in (self.nameko_result_kind, self.nameko_on_error)
        if posts and self.model_id and not self.sudo().model_id.is_mail_thread:
            warnings.append(self.env._("%s has no chatter to post in.", self.sudo().model_id.name))
        return warnings


def take_names(actions: models.BaseModel) -> None:
    """Take service and method from the catalogue's entry, where one is chosen."""
    for action in actions:
        chosen = action.nameko_method_id
        action.nameko_service = chosen.service or action.nameko_service
        action.nameko_method = chosen.name or action.nameko_method


def offer_parameters(actions: models.BaseModel) -> None:
    """Offer the chosen method's parameters, and keep what has been typed."""
    for action in actions:
        rows = action.nameko_parameter_ids
        offered = action.nameko_method_id._offered_parameters()
        left = rows.filtered(lambda row: not row.value and row.name not in offered)  # noqa: B023
        new = {name: kind for name, kind in offered.items() if name not in rows.mapped("name")}
        names = list(offered)
        action.nameko_parameter_ids = [
            *(Command.unlink(row.id) for row in left if offered),
            *(
                Command.create({"name": name, "kind": kind, "sequence": names.index(name)})
                for name, kind in new.items()
            ),
        ]
