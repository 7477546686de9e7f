"""Correlation ids of jobs: the job's uuid and the number of the attempt."""

from __future__ import annotations

import re

UUID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
CORRELATION_ID = re.compile(f"({UUID})(?::([1-9][0-9]{{0,8}}))?")


def correlation_id(uuid: str, attempt: int) -> str:
    """Return the correlation id of the request and the reply of an attempt."""
    return f"{uuid}:{attempt}"


def idempotency_id(uuid: str, attempts_before: int) -> str:
    """Return the idempotency id: that of the attempts of one round, until the job is asked again.

    attempts_before: how many attempts the earlier rounds had
    """
    return f"{uuid}/{attempts_before}" if attempts_before else uuid


def read_correlation_id(text: str) -> tuple[str, int | None] | None:
    """Return the uuid, and the attempt or None; None if the id is not that of a job."""
    match = CORRELATION_ID.fullmatch(text)
    return match and (match[1], int(match[2]) if match[2] else None)


def is_uuid(value: object) -> bool:
    """Return whether it has the form of a job's uuid."""
    return isinstance(value, str) and re.fullmatch(UUID, value) is not None
