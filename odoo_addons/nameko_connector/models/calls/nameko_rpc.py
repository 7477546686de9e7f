"""The API for addons: `self.env["nameko.rpc"].call("pricing", "quote", order_id, qty=3)`."""

from collections.abc import Collection, Sequence
from functools import partial
from typing import Any

from odoo import api, models

from ...broker.amqp import errors
from ...broker.amqp.config import InvalidBrokerConfig
from ...broker.amqp.errors import RpcError
from ...broker.amqp.request import Outcome, Request
from ...broker.rpc.client import Client, client_for
from ...exceptions import (
    InvalidCall,
    NamekoError,
    NotConfigured,
    ServiceNotAllowed,
    UnknownService,
    user_error,
)
from ...tools.configuration import broker_config
from ...tools.idempotency import idempotency_id
from ...tools.option_checks import checked_call, checked_list, checked_timeout
from ...tools.requester import requester, worker_context


class NamekoRpc(models.AbstractModel):
    _name = "nameko.rpc"
    _description = "Calls of Nameko services"

    @api.model
    @api.private
    def call(
        self, service: str, method: str, *args: Any, timeout: float | None = None, **kwargs: Any
    ) -> Any:
        """Call a method of a Nameko service and wait for what it returns.

        Texts, numbers, booleans, None, lists and dictionaries are sent as JSON. Decimals, dates,
        datetimes, times, UUIDs and bytes keep their types; tuples become lists, and keys of
        dictionaries become texts. Recordsets, sets and other types are refused: send `record.id` or
        the values that the service needs.

        :param timeout: the longest total time in seconds; by default, the one in odoo.conf
        :raises exceptions.NamekoError: a subclass that says what happened and what to do
        """
        return self._call(Request(service, method, args, kwargs), timeout)

    def _call(self, request: Request, timeout: float | None) -> Any:
        request = checked_call(request)
        timeout = checked_timeout(request, timeout)
        self._check_allowed(request.service)
        try:
            return self._client().call(request, timeout=timeout, **self._what_travels())
        except RpcError as error:
            raise self._user_error(error) from error

    @api.model
    @api.private
    def call_many(
        self, requests: Sequence[Request], *, timeout: float | None = None
    ) -> list[Any | NamekoError]:
        """Call many methods at once, pipelined over one connection.

        :param requests: `broker.amqp.request.Request` objects
        :param timeout: the longest time of each request, in seconds
        :return: in the order of the requests, the result or the NamekoError of each
        """
        timeout = checked_timeout(None, timeout)
        checked = [_checked_or_error(each) for each in checked_list(requests, Request)]
        refused = self._refused({r.service for r in checked if isinstance(r, Request)})
        each_one = [refused.get(r.service, r) if isinstance(r, Request) else r for r in checked]
        sent = [each for each in each_one if isinstance(each, Request)]
        outcomes = self._client().call_many(sent, timeout=timeout, **self._what_travels())
        results = map(self._result, outcomes)
        return [next(results) if isinstance(r, Request) else r for r in each_one]

    def _refused(self, services: Collection[str]) -> dict[str, NamekoError]:
        """Return the error of each service that may not be called."""
        refused = {}
        for service in services:
            try:
                self._check_allowed(service)
            except ServiceNotAllowed as error:
                refused[service] = error
        return refused

    def _result(self, outcome: Outcome) -> Any | NamekoError:
        return self._user_error(outcome.error) if outcome.error else outcome.result

    def _user_error(self, error: RpcError) -> NamekoError:
        """Return the error for the user; for a missing queue, say whether there was one before."""
        is_known = self.env["nameko.route"].is_known
        if isinstance(error, errors.UnknownService) and is_known(error.service):
            text = self.env._(
                "The service “%(service)s” is not running at the moment: its queue is gone from "
                "the message broker, so nothing was sent. Try again later. If this goes on, ask "
                "your administrator to start it.",
                service=error.service,
            )
            return UnknownService(text, error)
        return user_error(error, self.env)

    def _client(self) -> Client:
        """Return the client for calls.

        :raises exceptions.SendingRefused: nothing may leave this database
        """
        self.env["nameko.database"]._check_may_send()
        try:
            return client_for(broker_config())
        except InvalidBrokerConfig as error:
            message = self.env._("The message broker is not configured: %s", error)
            raise NotConfigured(message) from error

    def _what_travels(self) -> dict[str, Any]:
        context = worker_context(self.env.cr.dbname, **requester(self.env))
        return {"context": context, "identify": partial(idempotency_id, self.env.cr)}


def _checked_or_error(request: Request) -> Request | InvalidCall:
    try:
        return checked_call(request)
    except InvalidCall as error:
        return error
