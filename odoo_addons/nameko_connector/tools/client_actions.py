"""Client actions that buttons return to the web client."""

from typing import Any, Literal

from odoo import models

Kind = Literal["success", "warning", "danger"]


def notification(
    message: str,
    kind: Kind,
    *,
    title: str | None = None,
    sticky: bool = False,
    reload: bool = False,
) -> dict[str, Any]:
    """Return a notification; sticky: until the user closes it; reload: reload the view too."""
    params: dict[str, Any] = {"message": message, "type": kind, "sticky": sticky}
    if title:
        params["title"] = title
    if reload:
        params["next"] = {"type": "ir.actions.client", "tag": "soft_reload"}
    return {"type": "ir.actions.client", "tag": "display_notification", "params": params}


def dialog(record: models.BaseModel, name: str) -> dict[str, Any]:
    """Return an action that opens a record in a dialog."""
    return {
        "type": "ir.actions.act_window",
        "name": name,
        "res_model": record._name,
        "res_id": record.id,
        "views": [(False, "form")],
        "target": "new",
    }
