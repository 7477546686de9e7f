"""An HTTP client that talks to Odoo as Odoo's web client does: session, JSON-RPC, buttons."""

from collections.abc import Sequence
from typing import Any

import requests

TIMEOUT_SECONDS = 60


class OdooRefused(Exception):
    """Odoo answered with an error: the message is what the user would have seen."""

    def __init__(self, error: dict[str, Any]) -> None:
        self.name: str = error["data"]["name"]
        super().__init__(error["data"]["message"])


class WebClient:
    """One user's session."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._session = requests.Session()
        self._context: dict[str, Any] = {}
        self.user_id = 0

    def log_in(self, database: str, login: str, password: str) -> None:
        """Open a session; raises OdooRefused for a wrong login."""
        user = self._post(
            "/web/session/authenticate", {"db": database, "login": login, "password": password}
        )
        self._context = user["user_context"]
        if companies := user.get("user_companies"):  # of internal users
            self._context["allowed_company_ids"] = [companies["current_company"]]
        self.user_id = int(user["uid"])

    @property
    def session_id(self) -> str:
        """The secret id of the session, as in its cookie."""
        return self._session.cookies["session_id"]

    def session_info(self) -> dict[str, Any]:
        """Return the data that Odoo sends to its web client at the start."""
        return dict(self._post("/web/session/get_session_info", {}))

    def call(self, model: str, method: str, *args: Any, **kwargs: Any) -> Any:
        """Call a model's method as a view does."""
        return self._post(
            f"/web/dataset/call_kw/{model}/{method}", self._body(model, method, args, kwargs)
        )

    def click(self, model: str, method: str, ids: Sequence[int]) -> Any:
        """Press a button of a form or list; return the action that it returns, or False."""
        body = self._body(model, method, [list(ids)], {})
        return self._post(f"/web/dataset/call_button/{model}/{method}", body)

    def save(self, model: str, values: dict[str, Any], fields: Sequence[str]) -> dict[str, Any]:
        """Create a record as the form's Save button does; return the named fields."""
        specification: dict[str, dict[str, Any]] = {field: {} for field in fields}
        (record,) = self.call(model, "web_save", [], values, specification=specification)
        return dict(record)

    def _body(
        self, model: str, method: str, args: Sequence[Any], kwargs: dict[str, Any]
    ) -> dict[str, Any]:
        context = {**self._context, **kwargs.pop("context", {})}
        return {
            "model": model,
            "method": method,
            "args": list(args),
            "kwargs": {**kwargs, "context": context},
        }

    def _post(self, path: str, params: dict[str, Any]) -> Any:
        body = {"jsonrpc": "2.0", "method": "call", "params": params}
        answer = self._session.post(self.address + path, json=body, timeout=TIMEOUT_SECONDS)
        answer.raise_for_status()
        content = answer.json()
        if "error" in content:
            raise OdooRefused(content["error"])
        return content["result"]
