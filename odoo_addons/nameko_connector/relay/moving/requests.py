"""Build the requests of jobs."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from ...broker.amqp import errors
from ...broker.jobs.body import with_results
from ...broker.jobs.publisher import Attempt, Publisher
from ...job_store.claiming.claim import Claimed
from ...tools.requester import worker_context

_logger = logging.getLogger(__name__)


class Requests:
    """Builds requests that a publisher may send, for a database."""

    def __init__(self, database: str, publisher: Publisher) -> None:
        self._database, self._publisher = database, publisher

    def build(self, batch: Sequence[Claimed]) -> tuple[list[Attempt], dict[str, errors.RpcError]]:
        """Build the requests of jobs; return the errors of the others by uuid."""
        requests: list[Attempt] = []
        unsendable: dict[str, errors.RpcError] = {}
        for job in batch:
            try:
                requests.append(self._request(job))
            except errors.RpcError as error:
                unsendable[job.uuid] = error
            except Exception as error:  # it concerns only this job
                _logger.warning("The request of job %s cannot be built", job.uuid, exc_info=True)
                text = f"The request cannot be built: {type(error).__name__}: {error}"
                unsendable[job.uuid] = errors.NotSendable(text)
        return requests, unsendable

    def _request(self, job: Claimed) -> Attempt:
        """Build the request of a job's next attempt.

        :raises RpcError: it cannot be sent
        """
        request = Attempt(
            uuid=job.uuid,
            attempt=job.sendings + 1,
            attempts_before=job.sendings_before or 0,
            service=job.service,
            method=job.method,
            body=self._body(job),
            context=worker_context(
                self._database,
                user_id=job.user_id,
                company_id=job.company_id,
                language=job.language,
            ),
            seconds=float(job.timeout),
        )
        self._publisher.check(request)
        return request

    def _body(self, job: Claimed) -> str:
        if job.arguments is None:
            raise self._publisher.too_large(job.service, job.method, job.size)
        if not job.results_before:
            return job.arguments
        return with_results(job.arguments, job.results_before, job.results_as)
