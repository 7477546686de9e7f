"""Server actions of the type “Call a Nameko service”: their fields and constraints."""

from odoo import api, fields, models
from odoo.exceptions import ValidationError
from odoo.orm.fields import Field

from ...action.results import FIELD_TYPES, is_path
from ...broker.amqp.names import are_names
from ...tools.fields import MOST, Int4
from ..catalogue.nameko_method_choice import offer_parameters, take_names
from ..jobs.nameko_job import DEFAULT_PRIORITY

KIND = "nameko"
MANAGER = "nameko_connector.group_nameko_manager"
NUMBERS = ("nameko_timeout", "nameko_priority", "nameko_max_attempts")
MOST_SECONDS_NOW = 60  # that a call may wait, as it occupies one of few connections to the broker


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
        """Delete these actions, and the scheduled actions that use them, on uninstallation."""
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
        """Offer this type only to users who may design it."""
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
        """Return what prevents the action from running; some of it can arise after saving."""
        warnings = []
        if not (self.nameko_service and self.nameko_method):
            warnings.append(self.env._("Choose a method, or type a service and a method."))
        if self.nameko_result_kind == "field" and not self.nameko_result_field_id:
            warnings.append(self.env._("Choose the field that takes the result."))
        posts = "chatter" in (self.nameko_result_kind, self.nameko_on_error)
        if posts and self.model_id and not self.sudo().model_id.is_mail_thread:
            warnings.append(self.env._("%s has no chatter to post in.", self.sudo().model_id.name))
        return warnings

    # What it calls

    @api.constrains("state", "nameko_method_id", "nameko_service", "nameko_method")
    def _check_nameko_names(self) -> None:
        for action in self.filtered(lambda each: each.state == KIND):
            service, method = action.nameko_service or "", action.nameko_method or ""
            if not are_names(service, method):
                raise ValidationError(
                    self.env._(
                        "Enter a service and a method. The method's name must not contain a dot, "
                        "and both together may have 254 bytes."
                    )
                )
            chosen = action.sudo().nameko_method_id
            if chosen and (chosen.service, chosen.name) != (service, method):
                raise ValidationError(
                    self.env._(
                        "%(chosen)s is selected in the catalogue, but %(typed)s is typed. To "
                        "call what is typed, clear the selection.",
                        chosen=chosen.display_name,
                        typed=f"{service}.{method}",
                    )
                )

    @api.constrains("state", "nameko_method_id", "nameko_parameter_ids")
    def _check_nameko_parameters(self) -> None:
        for action in self.filtered(lambda each: each.state == KIND and each.nameko_method_id):
            method = action.sudo().nameko_method_id
            if refusal := method._refusal(*action.sudo()._nameko_given()):
                raise ValidationError(
                    self.env._(
                        "%(method)s%(signature)s cannot be called with these parameters: "
                        "%(reason)s.",
                        method=method.display_name,
                        signature=method.signature,
                        reason=refusal,
                    )
                )

    def _nameko_given(self) -> tuple[list[str], list[str]]:
        """Return the names of the parameters that have a value: by position, and by name."""
        given = self.nameko_parameter_ids.filtered("value").sorted()
        by_position = given.filtered(lambda row: row.kind == "positional")
        return by_position.mapped("name"), (given - by_position).mapped("name")

    @api.constrains("nameko_identity_key", "nameko_domain")
    def _check_nameko_expressions(self) -> None:
        for action in self:
            for name in ("nameko_identity_key", "nameko_domain"):
                label = action._fields[name]._description_string(self.env)
                self.env["nameko.action.parameter"]._check_expression(label, action[name])

    @api.constrains("nameko_when", *NUMBERS)
    def _check_nameko_numbers(self) -> None:
        for action in self:
            for name in NUMBERS:
                least = -MOST if name == "nameko_priority" else 0
                waits = name == "nameko_timeout" and action.nameko_when == "now"
                most = MOST_SECONDS_NOW if waits else MOST
                if not least <= action[name] <= most:
                    label = action._fields[name]._description_string(self.env)
                    raise ValidationError(
                        self.env._(
                            "%(field)s cannot be %(value)s: enter a value from %(least)s to "
                            "%(most)s.",
                            field=label,
                            value=action[name],
                            least=least,
                            most=most,
                        )
                    )

    @api.constrains("state", "model_id")
    def _check_nameko_model(self) -> None:
        for action in self.filtered(lambda each: each.state == KIND):
            chosen = action.sudo().model_id
            model = self.env.get(chosen.model)
            if model is not None and (model._transient or model._abstract):
                text = self.env._("“%s” keeps no records: choose another model.", chosen.name)
                raise ValidationError(text)

    # Where the result goes

    @api.constrains("state", "model_id", "nameko_result_kind", "nameko_result_field_id")
    def _check_nameko_result_field(self) -> None:
        for action in self.filtered(lambda each: each.state == KIND):
            chosen = action.sudo().nameko_result_field_id
            if action.nameko_result_kind == "field" and not action._nameko_can_write(chosen):
                raise ValidationError(
                    self.env._(
                        "The field “%(field)s” cannot take a result: choose a field of “%(model)s” "
                        "that can be written, for a text, a number, a date or a yes or no.",
                        field=chosen.field_description or "",
                        model=action.sudo().model_id.name,
                    )
                )

    def _nameko_can_write(self, chosen: models.BaseModel) -> bool:
        model = self.env.get(self.sudo().model_id.model)
        field = None if model is None else model._fields.get(chosen.name)
        return chosen.model_id == self.sudo().model_id and field is not None and _takes(field)

    @api.constrains("state", "usage", "nameko_by_domain", "nameko_result_kind")
    def _check_nameko_schedule(self) -> None:
        for action in self.filtered(lambda each: each.state == KIND and each.usage == "ir_cron"):
            if not action.nameko_by_domain and action.nameko_result_kind != "nothing":
                raise ValidationError(
                    self.env._(
                        "“%s” has no record for its result: a scheduled action has no selection. "
                        "Tick Run on Records That Match, or set Result to Ignore.",
                        action.name,
                    )
                )

    @api.constrains("nameko_result_path")
    def _check_nameko_result_path(self) -> None:
        for action in self:
            path = action.nameko_result_path
            if path and not is_path(path):
                raise ValidationError(
                    self.env._(
                        "“%s” does not name a part of a result: write names and numbers with "
                        "dots between them, such as quote.total or lines.0.price.",
                        path,
                    )
                )


def _takes(field: Field) -> bool:
    """Return whether a result can be written into the field."""
    writable = field.inverse or (field.store and not (field.compute and field.readonly))
    by_odoo = field.name in models.MAGIC_COLUMNS
    return bool(field.type in FIELD_TYPES and writable and not by_odoo)
