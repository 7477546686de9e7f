"""The server action “Call a Nameko service”: who may design it.

Odoo runs an action with the rights of the user who runs it, and a link is enough to make a user run
it. So its designer must also have the right to read and write what it reads and writes, unless the
designer is an administrator, who may write any code.
"""

from typing import Any

from odoo import api, fields, models
from odoo.exceptions import AccessError

from ...action.expression.record_view import Limit
from .ir_actions_server import KIND, MANAGER
from .ir_actions_server_run import running_actions

ADMINISTRATOR = "base.group_system"
OWN_MODULE = "nameko_connector"
DESIGN = ("model_id", "state", "group_ids")  # and all fields named nameko_*
# Models whose records decide what others see, run or receive. Their own checks apply to the user
# who writes, that is, the user who runs the action, not its designer.
TECHNICAL = (
    "ir.", "base.", "bus.", "res.users", "res.groups", "res.config", "mail.template", "mail.alias",
    "mail.server", "fetchmail.", "sms.template", "mailing.",
)  # fmt: skip


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

    @api.model_create_multi
    def create(self, vals_list: list[dict[str, Any]]) -> "IrActionsServer":
        """Let only managers create actions of this type; without admin rights, no other type."""
        self._check_nameko_path(*vals_list)
        actions = super().create(vals_list)
        actions._check_nameko_designer()
        actions._nameko_note_designer()
        return actions

    def write(self, vals: dict[str, Any]) -> bool:
        """Check the user's rights to the actions both before and after the change.

        A user who only moves or renames an action does not become its designer.
        """
        self._check_nameko_path(vals)
        self._check_nameko_designer()
        result = super().write(vals)
        self._check_nameko_designer()
        if any(name.startswith("nameko_") or name in DESIGN for name in vals):
            self._nameko_note_designer()
        return result

    def copy_data(self, default: dict[str, Any] | None = None) -> list[dict[str, Any]]:
        """Let managers copy their actions, without the code and the path."""
        if self.env.su or self.env.user.has_group(ADMINISTRATOR):
            return super().copy_data(default)
        self.check_access("read")
        copies = super(IrActionsServer, self.sudo()).copy_data(default)
        return [
            {name: copy[name] for name in copy if name not in ("code", "path")} for copy in copies
        ]

    def unlink(self) -> bool:
        """Let managers delete their actions; Odoo needs superuser rights for its lookups."""
        if self.env.su or self.env.user.has_group(ADMINISTRATOR):
            return super().unlink()
        self.check_access("unlink")
        self._check_nameko_designer()
        return super(IrActionsServer, self.sudo()).unlink()

    def _check_nameko_designer(self) -> None:
        """Raise AccessError if this user may not design these actions as they are.

        Managers without admin rights may design only this type, and only for the “Action” menu:
        actions in another action, a rule or a schedule run without a user's choice.
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
        """Raise AccessError if a manager may not design these actions as they are.

        :param calls: those of these actions that call services, in superuser mode
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
        """Set this user as the designer; actions from a module's data or code have none.

        A result that an action writes into another action does not change its designer.
        """
        if self.env.su or running_actions(self.env.context):
            return
        user = self.env.user
        designer = False if user.has_group(ADMINISTRATOR) else user.id
        for action in self.sudo():
            if action.state == KIND and action.nameko_designer_id.id != designer:
                action.write({"nameko_designer_id": designer})

    def _check_nameko_path(self, *vals_list: dict[str, Any]) -> None:
        """Raise AccessError if a manager sets a path, which is a URL of the web client."""
        is_free = self.env.su or self.env.user.has_group(ADMINISTRATOR)
        if not is_free and any(vals.get("path") for vals in vals_list):
            raise AccessError(self.env._("Only administrators may set the path of an action."))

    def _nameko_runs_elsewhere(self) -> bool:
        rule = "base_automation_id"  # of an addon that may not be installed
        others = self.parent_id or self.child_ids or self.ir_cron_ids
        return bool(others or (rule in self._fields and self[rule]))

    def _nameko_breaks_menus(self) -> bool:
        """Return whether Odoo would list the action elsewhere than in its model's “Action” menu."""
        elsewhere = self.binding_model_id and self.binding_model_id != self.model_id
        kinds = (self.type, self.binding_type)
        return bool(elsewhere or kinds != (self._name, "action"))

    def _nameko_runs_for_outsiders(self) -> bool:
        internal = self.env.ref("base.group_user")
        return any(internal not in group.all_implied_ids for group in self.group_ids)

    def _nameko_check_reach(self, user: models.BaseModel) -> None:
        """Raise AccessError if the user may not use its model or its result field."""
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
        """The designer's rights, which apply in addition to those of the current user."""
        designer = self.nameko_designer_id
        return Limit(designer) if designer and designer != self.env.user else None
