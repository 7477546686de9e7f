"""The server action “Call a Nameko service”: the checks when it is saved, and who may save it.

Odoo runs an action with the rights of the user who runs it, and a link is enough to make somebody
run it. So what an action reads and writes must be allowed to the user who designed it as well,
unless that is an administrator, who may write any code.
"""

from typing import Any

from odoo import api, fields, models
from odoo.exceptions import AccessError, ValidationError
from odoo.orm.fields import Field

from ..broker.amqp.names import are_names
from ..tools.expression.record_view import Limit
from ..tools.fields import MOST
from ..tools.results import FIELD_TYPES, is_path
from .ir_actions_server import KIND, MANAGER
from .ir_actions_server_run import running_actions

NUMBERS = ("nameko_timeout", "nameko_priority", "nameko_max_attempts")
ADMINISTRATOR = "base.group_system"
OWN_MODULE = "nameko_connector"
DESIGN = ("model_id", "state", "group_ids")  # beside all that is named nameko_*
# Models whose records decide what others see, run or receive. Their own checks look at the user who
# writes, which is the one who runs the action, not its designer.
TECHNICAL = (
    "ir.", "base.", "bus.", "res.users", "res.groups", "res.config", "mail.template", "mail.alias",
    "mail.server", "fetchmail.", "sms.template", "mailing.",
)  # fmt: skip
MOST_SECONDS_NOW = 60  # that a user waits: one of Odoo's few connections to the broker is held


class IrActionsServer(models.Model):
    _inherit = "ir.actions.server"

    nameko_designer_id = fields.Many2one(
        "res.users",
        "Designed By",
        readonly=True,
        copy=False,
        ondelete="restrict",
        help="The action reads and writes only what this user may read and write, too. Empty: an "
        "administrator designed it, and only the rights of the user who runs it count.",
    )

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

    # Who may design

    @api.model_create_multi
    def create(self, vals_list: list[dict[str, Any]]) -> "IrActionsServer":
        """Let managers alone make calls of services, and nothing else where they are no admins."""
        self._check_nameko_path(*vals_list)
        actions = super().create(vals_list)
        actions._check_nameko_designer()
        actions._nameko_note_designer()
        return actions

    def write(self, vals: dict[str, Any]) -> bool:
        """Check before and after: neither may it have been another's, nor become something else.

        Who moves or renames it only does not become its designer.
        """
        self._check_nameko_path(vals)
        self._check_nameko_designer()
        result = super().write(vals)
        self._check_nameko_designer()
        if any(name.startswith("nameko_") or name in DESIGN for name in vals):
            self._nameko_note_designer()
        return result

    def copy_data(self, default: dict[str, Any] | None = None) -> list[dict[str, Any]]:
        """Let managers copy their actions: all but the code and the path, which are not theirs."""
        if self.env.su or self.env.user.has_group(ADMINISTRATOR):
            return super().copy_data(default)
        self.check_access("read")
        copies = super(IrActionsServer, self.sudo()).copy_data(default)
        return [
            {name: copy[name] for name in copy if name not in ("code", "path")} for copy in copies
        ]

    def unlink(self) -> bool:
        """Let managers delete their actions, with what Odoo looks up meanwhile."""
        if self.env.su or self.env.user.has_group(ADMINISTRATOR):
            return super().unlink()
        self.check_access("unlink")
        self._check_nameko_designer()
        return super(IrActionsServer, self.sudo()).unlink()

    def _check_nameko_designer(self) -> None:
        """Raise AccessError where this user may not have these actions be as they are.

        An administrator may write any code in actions of other kinds, so only the managers who
        are none are held to this kind, and to the “Action” menu: what is part of another action,
        a rule or a schedule runs without anybody choosing it.
        """
        user = self.env.user
        if self.env.su or not self:
            return
        calls = self.sudo().filtered(lambda action: action.state == KIND)
        if calls and not user.has_group(MANAGER):
            raise AccessError(
                self.env._("Only Nameko managers may design actions that call services.")
            )
        if not user.has_group(ADMINISTRATOR):
            self.check_access("write")
            self._check_nameko_manager(calls, user)

    def _check_nameko_manager(self, calls: models.BaseModel, user: models.BaseModel) -> None:
        """Raise AccessError where a manager may not have these actions be as they are.

        :param calls: those of these actions that call services, with all rights
        """
        if calls != self.sudo() or any(action._nameko_runs_elsewhere() for action in calls):
            raise AccessError(
                self.env._(
                    "Only administrators change actions that are part of others, of automation "
                    "rules or of scheduled actions."
                )
            )
        if any(action._nameko_breaks_menus() for action in calls):
            raise AccessError(
                self.env._(
                    "Only administrators may show an action elsewhere than in the menu of its "
                    "own model."
                )
            )
        if any(action._nameko_runs_for_outsiders() for action in calls):
            raise AccessError(
                self.env._("Only administrators may let portal or public users run actions.")
            )
        for action in calls:
            action._nameko_check_reach(user)

    def _nameko_note_designer(self) -> None:
        """Take this user for the designer; what a module's data or code make has none.

        Nor does a result: who runs an action that writes into another one does not design that.
        """
        if self.env.su or running_actions(self.env.context):
            return
        user = self.env.user
        designer = False if user.has_group(ADMINISTRATOR) else user.id
        for action in self.sudo():
            if action.state == KIND and action.nameko_designer_id.id != designer:
                action.write({"nameko_designer_id": designer})

    def _check_nameko_path(self, *vals_list: dict[str, Any]) -> None:
        """Raise AccessError for an address of the web client that a manager would take."""
        is_free = self.env.su or self.env.user.has_group(ADMINISTRATOR)
        if not is_free and any(vals.get("path") for vals in vals_list):
            raise AccessError(self.env._("Only administrators may set the path of an action."))

    def _nameko_runs_elsewhere(self) -> bool:
        rule = "base_automation_id"  # of an addon that may not be installed
        others = self.parent_id or self.child_ids or self.ir_cron_ids
        return bool(others or (rule in self._fields and self[rule]))

    def _nameko_breaks_menus(self) -> bool:
        """Tell whether Odoo would take it for something else where it lists a model's actions."""
        elsewhere = self.binding_model_id and self.binding_model_id != self.model_id
        kinds = (self.type, self.binding_type)
        return bool(elsewhere or kinds != (self._name, "action"))

    def _nameko_runs_for_outsiders(self) -> bool:
        internal = self.env.ref("base.group_user")
        return any(internal not in group.all_implied_ids for group in self.group_ids)

    def _nameko_check_reach(self, user: models.BaseModel) -> None:
        """Raise AccessError where its model or the field for the result are not for this user."""
        model = self.env.get(self.model_id.model)
        if self.state != KIND or model is None:
            return
        if model._name.startswith(TECHNICAL) or model._original_module == OWN_MODULE:
            raise AccessError(
                self.env._("Only administrators may design actions on “%s”.", self.model_id.name)
            )
        model = model.with_user(user)
        model.check_access("read")
        field = model._fields.get(self.nameko_result_field_id.name)
        if self.nameko_result_kind == "field" and field is not None:
            model.check_access("write")
            model._check_field_access(field, "write")

    @property
    def _nameko_limit(self) -> Limit | None:
        """The rights that count beside those of who runs the action."""
        designer = self.nameko_designer_id
        return Limit(designer) if designer and designer != self.env.user else None

    def _nameko_beyond(self, error: AccessError) -> AccessError:
        return AccessError(
            self.env._(
                "“%(action)s” may do no more than %(designer)s, who designed it. An administrator "
                "lifts this by changing one of its parameters. %(reason)s",
                action=self.name,
                designer=self.nameko_designer_id.name,
                reason=str(error),
            )
        )


def _takes(field: Field) -> bool:
    """Tell whether a result can be written into the field."""
    writable = field.inverse or (field.store and not (field.compute and field.readonly))
    by_odoo = field.name in models.MAGIC_COLUMNS
    return bool(field.type in FIELD_TYPES and writable and not by_odoo)
