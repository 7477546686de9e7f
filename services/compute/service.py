"""The service `compute`."""

from functools import partial
from typing import Any

import eventlet

from services.addresses import check_address
from services.compute.arithmetic import Number, calculate, calculate_all
from services.compute.pool import ProcessPool
from services.compute.primes import check_limit
from services.compute.progress import ProgressDispatcher
from services.dependencies import AfterReply, AsyncRpcProxy, Job
from services.entrypoints import rpc
from services.exceptions import ComputeError, InvalidOperandError, MailError

MAX_JOB_ID = 255  # characters of a job's id, which each progress event contains


class ComputeService:
    """Arithmetic, and heavy work that should not block Odoo."""

    name = "compute"
    notify = AsyncRpcProxy("notify")
    mail = AsyncRpcProxy("mail")
    after_reply = AfterReply()
    report_progress: Any = ProgressDispatcher(retry=False)
    pool = ProcessPool()
    job = Job()

    @rpc(expected_exceptions=ComputeError)
    def method(self, value1: Any, value2: Any) -> Number:
        """Return value1 + value2, and send a message to the service notify without waiting."""
        result = calculate("sum", value1, value2)
        self.after_reply(self.notify.send.call_async, f"Operation completed {result}")
        return result

    @rpc(expected_exceptions=(ComputeError, MailError))
    def compute(self, operation: str, value: Any, other: Any, email: str | None = None) -> Number:
        """Return the result of "sum", "sub", "mul" or "div" on two numbers or numeric strings.

        With an email address, the result or the error is also mailed to it. Raises a ComputeError,
        or an InvalidRecipientError before anything is computed.
        """
        email = check_address(email) if email else None
        try:
            result = calculate(operation, value, other)
        except ComputeError as error:
            self._mail(email, "An error occurred", str(error))
            raise
        self._mail(email, "Your operation is complete!", f"The result is: {result}")
        return result

    @rpc(expected_exceptions=ComputeError)
    def map(self, operation: str, pairs: list[list[Any]]) -> list[Number]:
        """Return the results of an operation on each [value, other]; one error fails the call."""
        return calculate_all(operation, pairs, pause=eventlet.sleep)

    @rpc(expected_exceptions=ComputeError)
    def prime_count(self, limit: int, job: str | None = None) -> int:
        """Return the number of primes up to a limit (at most 10**10), counted in another process.

        Dispatches events "progress": {"job": ..., "progress": 0 to 1}. The default for job is the
        header nameko.job, or the correlation id of the request. Stops when its job is cancelled.
        """
        number = check_limit(limit)
        if job is not None and (not isinstance(job, str) or len(job) > MAX_JOB_ID):
            raise InvalidOperandError(f"job is a text of at most {MAX_JOB_ID} characters.")
        report = partial(self.report_progress, job or self.job)
        return int(self.pool.run("prime_count", number, report=report, job=self.job))

    def _mail(self, email: str | None, subject: str, contents: str) -> None:
        if email:
            self.after_reply(self.mail.send.call_async, email, subject, contents)
