"""Services as objects: `rpc.service("pricing", priority=5).delay.quote(order.id, qty=3)`.

Options are given to `service`, arguments to the method. So a method may have an argument with the
name of an option. Calls and jobs are made by `call`, `delay_many` and what they use.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from odoo import api, models

from ...broker.amqp.request import Request
from ...tools.job_request import JobOptions, JobRequest
from ...tools.option_checks import check_names, timeout_of_call

Returned = TypeVar("Returned")


class NamekoRpc(models.AbstractModel):
    _inherit = "nameko.rpc"

    @api.model
    @api.private
    def service(self, name: str, /, **options: Any) -> Service:
        """Return a service whose methods can be called and delayed.

        :param options: `timeout`, for calls and jobs, and all other `job_request.JobOptions`, for
            jobs; their values are checked when they are used
        :raises exceptions.InvalidCall: there is no such option
        """
        check_names(name, options)
        return Service(self, name, options)


@dataclass(frozen=True)
class Service:
    """A service with options. Its methods are attributes of `call`, `delay` and `request`."""

    rpc: models.BaseModel
    name: str
    options: Mapping[str, Any]

    @property
    def call(self) -> Methods[Any]:
        """Methods that wait for the answer of the service, and return it."""
        return Methods(self._call)

    @property
    def delay(self) -> Methods[models.BaseModel]:
        """Methods that enqueue a job, and return it."""
        return Methods(self._delay)

    @property
    def request(self) -> Methods[JobRequest]:
        """Methods that return the request of a job, for `delay_many` and `chain`."""
        return Methods(self._request)

    def with_options(self, **options: Any) -> Service:
        """Return the same service with these options added or replaced; None removes one.

        :raises exceptions.InvalidCall: there is no such option
        """
        return self.rpc.service(self.name, **{**self.options, **options})

    def _call(self, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        request = Request(self.name, method, args, kwargs)
        return self.rpc._call(request, timeout_of_call(request, self.options))

    def _delay(
        self, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> models.BaseModel:
        return self.rpc.delay_many([self._request(method, args, kwargs)])

    def _request(self, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> JobRequest:
        return JobRequest(self.name, method, args, kwargs, JobOptions(**self.options))


class Methods(Generic[Returned]):
    """The methods of a service as attributes.

    Names that begin with `_` are Python's own: `rpc.call("service", "_method")` takes them.
    """

    __slots__ = ("_use",)

    def __init__(self, use: Callable[[str, tuple[Any, ...], dict[str, Any]], Returned]) -> None:
        self._use = use

    def __getattr__(self, method: str) -> Callable[..., Returned]:
        if method.startswith("_"):
            raise AttributeError(f"{method} begins with _, so it is no method of a service here.")
        return lambda *args, **kwargs: self._use(method, args, kwargs)
