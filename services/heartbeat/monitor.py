"""Pings a monitoring platform such as healthchecks.io."""

import logging
from typing import Any
from urllib.parse import urlsplit

import eventlet
import requests
from nameko.extensions import DependencyProvider

from services.heartbeat.interval import interval_of

logger = logging.getLogger(__name__)


class Monitor(DependencyProvider):
    """Provide `monitor.ping(problem)`.

    Configuration: HEARTBEAT_URL (empty: no pings), a secret that is never logged, and
    HEARTBEAT_TIMEOUT: how many seconds a ping may take, at most the interval between two.
    """

    def setup(self) -> None:
        config = self.container.config
        self.url = str(config.get("HEARTBEAT_URL") or "").rstrip("/")
        self.timeout = min(float(config.get("HEARTBEAT_TIMEOUT") or 5), interval_of(config))

    def get_dependency(self, worker_ctx: Any) -> "Monitor":
        return self

    def ping(self, problem: str | None = None) -> None:
        """GET the URL for a healthy process; POST the problem to `<url>/fail` for another."""
        if not self.url:
            return
        try:
            with eventlet.Timeout(self.timeout):
                self._request(problem)
        except (requests.RequestException, eventlet.Timeout) as error:
            host = urlsplit(self.url).hostname
            logger.warning("monitoring at %s not reached: %s", host, type(error).__name__)

    def _request(self, problem: str | None) -> None:
        if problem is None:
            answer = requests.get(self.url, timeout=self.timeout)
        else:
            answer = requests.post(f"{self.url}/fail", data=problem.encode(), timeout=self.timeout)
        if not answer.ok:
            logger.warning("monitoring answered a ping with status %s", answer.status_code)
