"""The user, company and language of a call or job, for the job's row and the worker context."""

from __future__ import annotations

from typing import Any

from odoo.api import Environment


def requester(env: Environment) -> dict[str, Any]:
    """Return the user, company and language of an environment."""
    return {
        "user_id": env.uid,
        "company_id": env.company.id,
        "language": env.lang or env.user.lang,
    }


def env_of(
    env: Environment, user_id: int, company_id: int, language: str | None, **context: Any
) -> Environment:
    """Return the environment of a job's user, in the job's company and language."""
    context["allowed_company_ids"] = [company_id]
    if language and env["res.lang"]._get_data(code=language):
        context["lang"] = language
    return env(user=user_id, su=False, context=context)


def worker_context(
    database: str, *, user_id: int, company_id: int, language: str | None
) -> dict[str, Any]:
    """Return Nameko's worker context for a request.

    Nameko passes it on if the service calls other services.
    """
    return {
        "user_id": user_id,
        "company_id": company_id,
        "language": language,
        "database": database,
    }
