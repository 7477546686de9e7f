"""The Flask application: its routes and its errors."""

import logging
from functools import partial
from typing import Any

from amqp.exceptions import AMQPError
from flask import Response, redirect, request
from flask_limiter import Limiter
from flask_openapi3.models.info import Info
from flask_openapi3.openapi import OpenAPI
from kombu.exceptions import KombuError
from nameko.exceptions import RpcTimeout, UnknownService
from pydantic import BaseModel, ValidationError
from werkzeug.exceptions import HTTPException, UnsupportedMediaType

from services.api.access import HEADER, check_key, read_keys, who
from services.api.connections import MAX_BODY
from services.api.health import HealthCheck
from services.api.models import Accepted, ComputeBody, ComputeQuery, Health, Problem, Result
from services.api.proxies import PoolBusyError, ProxyPool
from services.exceptions import ServiceError

logger = logging.getLogger(__name__)

ACCEPTED = "The result will be mailed to you."
ANYWHERE: Any = dict.fromkeys((400, 404, 405, 413, 431, 500, 501), Problem)  # in every route
REFUSED: Any = dict.fromkeys((401, 415, 422, 429, 503, 504), Problem)
UNREACHABLE = (OSError, AMQPError, KombuError, UnknownService, RuntimeError)
PATIENCE = 1.0  # s to wait for a proxy


def create_app(config: dict[str, Any]) -> OpenAPI:
    """Return the application as `config` says; raises `ConfigurationError`."""
    keys = read_keys(config)
    app = OpenAPI(
        "services.api",
        info=Info(title="Nameko services", version="1.0.0"),
        responses=ANYWHERE,
        security_schemes={"key": {"type": "apiKey", "name": HEADER, "in": "header"}},
        validation_error_model=Problem,
        validation_error_callback=invalid,
        doc_prefix="/apidocs",
    )
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY
    app.before_request(partial(check_key, keys))  # before any limit is counted
    app.before_request(check_is_json)
    limiter = Limiter(partial(who, keys), app=app, storage_uri="memory://", headers_enabled=True)
    threads, timeout = int(config["API_THREADS"]), float(config["API_TIMEOUT"])
    # One pool for requests that wait for a result, one for all others.
    now = ProxyPool(config, threads, timeout, PATIENCE)
    later = ProxyPool(config, threads, timeout, PATIENCE)
    add_compute(app, now, later, limiter.limit(str(config["API_RATE_LIMIT"])), keys)
    add_health(app, config)
    add_errors(app)
    app.add_url_rule("/", "home", lambda: redirect("/apidocs"))
    app.add_url_rule("/apidocs", "apidocs", lambda: redirect("/apidocs/swagger"))
    return app


def add_compute(
    app: OpenAPI, now: ProxyPool, later: ProxyPool, limit: Any, keys: list[str]
) -> None:
    """Add `POST /compute`."""

    @app.post(
        "/compute",
        responses={200: Result, 202: Accepted, **REFUSED},
        security=[{"key": []}] if keys else [],
    )
    @limit
    def compute(query: ComputeQuery, body: ComputeBody) -> Any:
        """Compute, and mail the result; with `?wait=true`, answer with the result."""
        if query.wait:
            return compute_now(now, body)
        if body.email is None:
            return problem("MissingEmail", "Send an email for the result, or ?wait=true.", 422)
        return compute_later(later, body)


def check_is_json() -> None:
    """Raise `UnsupportedMediaType` unless the body is declared as JSON."""
    if request.endpoint == "compute" and request.method == "POST" and not request.is_json:
        raise UnsupportedMediaType("Send JSON, with the header Content-Type: application/json.")


def compute_now(pool: ProxyPool, body: ComputeBody) -> Any:
    """Return the result; with an email address, it is also mailed."""
    with pool.proxy() as rpc:
        result = rpc.compute.compute(body.operation, body.value, body.other, body.email)
    return answer(Result(result=result), 200)


def compute_later(pool: ProxyPool, body: ComputeBody) -> Any:
    """Publish the requests for mail and computation, and wait for the broker's confirms."""
    with pool.proxy() as rpc:
        rpc.mail.send.call_async(body.email, "API Notification", ACCEPTED)
        rpc.compute.compute.call_async(body.operation, body.value, body.other, body.email)
    return answer(Accepted(message=ACCEPTED), 202)


def add_health(app: OpenAPI, config: dict[str, Any]) -> None:
    """Add `GET /health`."""
    check_health = HealthCheck(config)

    @app.get("/health", responses={200: Health, 503: Health})
    def health() -> Any:
        """Return whether the broker is reachable and every service has an instance."""
        found = check_health()
        return answer(found, 200 if found.healthy else 503)


def add_errors(app: OpenAPI) -> None:
    """Answer every error with a `Problem`."""
    add_errors_of_requests(app)
    add_errors_of_calls(app)


def add_errors_of_requests(app: OpenAPI) -> None:
    """Answer the errors of wrong requests."""

    @app.errorhandler(HTTPException)
    def refused(error: HTTPException) -> Any:
        response: Any = error.get_response()
        found = Problem(error=type(error).__name__, message=str(error.description))
        response.data = found.model_dump_json()
        response.content_type = "application/json"
        return response

    @app.errorhandler(RecursionError)
    def too_deep(error: RecursionError) -> Any:
        return problem("BadRequest", "The JSON is nested too deep: send a flat object.", 400)


def add_errors_of_calls(app: OpenAPI) -> None:
    """Answer the errors of the services and of the connection to them."""

    @app.errorhandler(PoolBusyError)
    def busy(error: PoolBusyError) -> Any:
        text = "Too many wait for results: ask again in a moment, or leave out ?wait=true."
        response = problem("Busy", text, 503)
        response.headers["Retry-After"] = "1"
        return response

    @app.errorhandler(ServiceError)
    def not_computable(error: ServiceError) -> Any:
        return problem(type(error).__name__, str(error), 422)

    @app.errorhandler(RpcTimeout)
    def too_slow(error: RpcTimeout) -> Any:
        return problem("Timeout", "The result did not come in time: ask again.", 504)

    def unreachable(error: Exception) -> Any:
        logger.error("cannot call the services: %s: %s", type(error).__name__, error)
        return problem(type(error).__name__, "The services are away: try again later.", 503)

    for kind in UNREACHABLE:
        app.register_error_handler(kind, unreachable)


def invalid(error: ValidationError) -> Response:
    """Return the response to a request that does not match the OpenAPI document."""
    details = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
    return problem("InvalidRequest", details, 422)


def problem(name: str, message: str, status: int) -> Response:
    """Return a `Problem` as the response."""
    return answer(Problem(error=name, message=message), status)


def answer(model: BaseModel, status: int) -> Response:
    """Return `model` as a JSON response."""
    return Response(model.model_dump_json(), status, mimetype="application/json")
