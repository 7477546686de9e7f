"""Limits the time and size of requests on a connection to the REST API, with errors as JSON."""

from typing import Any

from waitress.channel import HTTPChannel
from waitress.server import BaseWSGIServer
from waitress.task import ErrorTask

from services.api.models import Problem

MAX_BODY = 100_000  # bytes
OPTIONS: dict[str, Any] = {
    "ident": None,
    "connection_limit": 2_000,
    "asyncore_use_poll": True,  # unlike select(), it has no limit of its own
    "max_request_header_size": 32_000,  # bytes
    "max_request_body_size": MAX_BODY,
    "channel_timeout": 15,  # s for all bytes of a request, and between two requests
    "cleanup_interval": 5,  # s between two checks of channel_timeout
}
ENTITY = ("content-type", "content-length")  # headers that describe the body


class JsonErrorTask(ErrorTask):
    """Answers malformed HTTP with a `Problem`."""

    def execute(self) -> None:
        """Write the error's status and its text."""
        error: Any = self.request.error  # type: ignore[attr-defined]
        status, headers, _ = error.to_response(self.channel.server.adj.ident)
        body = Problem(error=type(error).__name__, message=f"{error.reason}: {error.body}")
        data = body.model_dump_json().encode()
        self.status = status
        kept = [(name, value) for name, value in headers if name.lower() not in ENTITY]
        self.response_headers = [*kept, ("Content-Type", "application/json")]
        self.content_length = len(data)
        self.set_close_on_finish()
        self.write(data)


class Channel(HTTPChannel):
    """A connection that limits the time of a whole request, also if it arrives byte by byte."""

    error_task_class = JsonErrorTask

    def handle_read(self) -> None:
        """Read the bytes that have arrived; within a request, do not restart its time limit."""
        began = self.last_activity
        is_within = self.request is not None
        super().handle_read()
        if is_within and self.request is not None:
            self.last_activity = began


def limit_connections() -> None:
    """Have every server of this process use our `Channel`."""
    BaseWSGIServer.channel_class = Channel
