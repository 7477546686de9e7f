"""The kind of server action “Call a Nameko service”: it can do only what its designer can.

Odoo runs an action with the rights of the user who runs it, and a link is enough to make somebody
run it. So what an action reads and writes must be allowed to the user who designed it as well,
unless that is an administrator, who may write any code.
"""

from typing import Any

from odoo import api, fields, models
from odoo.exceptions import AccessError

from ..tools.expression.record_view import Limit
from .ir_actions_server import KIND
from .ir_actions_server_design import ADMINISTRATOR

DESIGN = ("model_id", "state")


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
        """Note who designs it."""
        self._check_nameko_path(*vals_list)
        actions = super().create(vals_list)
        actions._nameko_note_designer()
        return actions

    def write(self, vals: dict[str, Any]) -> bool:
        """Note who designs it; an administrator who moves or renames it only does not."""
        self._check_nameko_path(vals)
        result = super().write(vals)
        designs = any(name.startswith("nameko_") or name in DESIGN for name in vals)
        if designs or not self.env.user.has_group(ADMINISTRATOR):
            self._nameko_note_designer()
        return result

    def _nameko_note_designer(self) -> None:
        """Take this user for the designer; what a module's data or code make has none."""
        if self.env.su:
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

    def _nameko_check_reach(self, user: models.BaseModel) -> None:
        """Raise AccessError where its model or the field for the result are not for this user."""
        model = self.env.get(self.model_id.model)
        if self.state != KIND or model is None:
            return
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
