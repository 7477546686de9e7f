"""What a connection to the REST API may do: so long, so large, and errors as JSON."""

from typing import Any

from waitress.channel import HTTPChannel
from waitress.server import BaseWSGIServer
from waitress.task import ErrorTask

from services.api.models import Problem

MAX_BODY = 100_000  # bytes
OPTIONS: dict[str, Any] = {
    "ident": None,
    "connection_limit": 2_000,
    "asyncore_use_poll": True,  # which has no limit of its own
    "max_request_header_size": 32_000,  # bytes
    "max_request_body_size": MAX_BODY,
    "channel_timeout": 15,  # s from the first byte of a request to its last, and between two
    "cleanup_interval": 5,  # s between two looks at these
}
ENTITY = ("content-type", "content-length")  # headers that say how the text is written


class JsonErrorTask(ErrorTask):
    """Answers what is no HTTP request with a `Problem`."""

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
    """A connection on which a request must be complete in time, however it trickles."""

    error_task_class = JsonErrorTask

    def handle_read(self) -> None:
        """Read what has come; within a request, without starting its time anew."""
        began = self.last_activity
        is_within = self.request is not None
        super().handle_read()
        if is_within and self.request is not None:
            self.last_activity = began


def limit_connections() -> None:
    """Have every server of this process use our `Channel`."""
    BaseWSGIServer.channel_class = Channel
