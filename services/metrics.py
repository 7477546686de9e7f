"""The metrics for Prometheus, and the HTTP server that exposes them."""

import logging
from functools import cache
from typing import Any

from nameko.extensions import DependencyProvider
from prometheus_client import Counter, Gauge, Histogram, start_http_server

logger = logging.getLogger(__name__)

CALLS = Counter("nameko_calls", "Finished calls of service methods", ["service", "method"])
ERRORS = Counter("nameko_errors", "Calls that raised", ["service", "method", "error"])
DURATIONS = Histogram("nameko_call_seconds", "Duration of calls", ["service", "method"])
RUNNING = Gauge("nameko_running_calls", "Calls being worked on", ["service", "method"])
MAILS = Counter("nameko_mails", "Mails by what became of them", ["outcome"])


class MethodMetrics:
    """The metrics of one method of one service."""

    def __init__(self, service: str, method: str) -> None:
        self._labels = labels = service, method
        self._running, self._calls = RUNNING.labels(*labels), CALLS.labels(*labels)
        self._durations = DURATIONS.labels(*labels)

    def started(self) -> None:
        self._running.inc()

    def finished(self, seconds: float, exc_info: Any) -> None:
        self._running.dec()
        self._calls.inc()
        self._durations.observe(seconds)
        if exc_info:
            ERRORS.labels(*self._labels, type(exc_info[1]).__name__).inc()


metrics_of = cache(MethodMetrics)


class MetricsServer(DependencyProvider):
    """Serves the metrics of this process over HTTP on METRICS_HOST:METRICS_PORT (0: not at all).

    If the port is in use, that is logged, and the process runs without metrics.
    """

    server: Any = None

    def start(self) -> None:
        port = int(self.container.config.get("METRICS_PORT") or 0)
        if port:
            self._serve(port, self.container.config.get("METRICS_HOST") or "127.0.0.1")

    def _serve(self, port: int, host: str) -> None:
        try:
            self.server, _ = start_http_server(port, host)
        except OSError as error:
            logger.warning("no metrics: cannot listen on %s:%s (%s)", host, port, error)

    def stop(self) -> None:
        if self.server:
            self.server.shutdown()
            self.server.server_close()
            self.server = None

    kill = stop
