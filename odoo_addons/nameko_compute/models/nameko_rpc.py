"""The API for addons: `self.env["nameko.rpc"].call("pricing", "quote", order_id, qty=3)`."""

from collections.abc import Sequence
from typing import Any

from odoo import api, models

from ..broker.client import Client, client_for
from ..broker.config import InvalidBrokerConfig
from ..broker.errors import RpcError
from ..broker.request import Outcome, Request
from ..configuration import broker_config
from ..exceptions import NamekoError, NotConfigured, ServiceNotAllowed, user_error


class NamekoRpc(models.AbstractModel):
    _name = "nameko.rpc"
    _description = "Calls of Nameko services"

    @api.model
    @api.private
    def call(
        self, service: str, method: str, *args: Any, timeout: float | None = None, **kwargs: Any
    ) -> Any:
        """Call a method of a Nameko service and wait for what it returns.

        Texts, numbers, booleans, None, lists and dictionaries travel as JSON. Decimals, dates,
        datetimes, times, UUIDs and bytes come back as what they were; tuples come back as lists
        and keys of dictionaries as texts. Recordsets, sets and everything else are refused: send
        `record.id` or the values that the service needs.

        :param timeout: seconds to wait at the most, everything included; odoo.conf's by default
        :raises exceptions.NamekoError: a subclass that says what happened and what to do
        """
        self._check_allowed(service)
        try:
            request = Request(service, method, args, kwargs)
            return self._client().call(request, timeout=timeout, context=self._context_data())
        except RpcError as error:
            raise user_error(error, self.env._) from error

    @api.model
    @api.private
    def call_many(
        self, requests: Sequence[Request], *, timeout: float | None = None
    ) -> list[Any | NamekoError]:
        """Call many methods at once, pipelined through one connection.

        :param requests: `broker.request.Request` objects
        :param timeout: seconds that any one of them may take
        :return: in the order of the requests, each one's result, or the NamekoError it met
        """
        refused = self._refused(requests)
        allowed = [r for r in requests if r.service not in refused] if refused else requests
        outcomes = self._client().call_many(allowed, timeout=timeout, context=self._context_data())
        results = map(self._result, outcomes)
        return [refused[r.service] if r.service in refused else next(results) for r in requests]

    def _refused(self, requests: Sequence[Request]) -> dict[str, NamekoError]:
        """Give the error of each service that may not be called."""
        refused = {}
        for service in {request.service for request in requests}:
            try:
                self._check_allowed(service)
            except ServiceNotAllowed as error:
                refused[service] = error
        return refused

    def _result(self, outcome: Outcome) -> Any | NamekoError:
        return user_error(outcome.error, self.env._) if outcome.error else outcome.result

    def _client(self) -> Client:
        try:
            return client_for(broker_config())
        except InvalidBrokerConfig as error:
            message = self.env._("The message broker is not configured: %s", error)
            raise NotConfigured(message) from error

    def _context_data(self) -> dict[str, Any]:
        """What travels with a call in Nameko's worker context."""
        return {
            "user_id": self.env.uid,
            "language": self.env.lang or self.env.user.lang,
            "company_id": self.env.company.id,
            "database": self.env.cr.dbname,
        }
