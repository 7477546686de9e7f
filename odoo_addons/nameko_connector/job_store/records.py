"""Lock the records into which results are written, without waiting for locks."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from odoo import api


def locked_records(
    env: api.Environment, targets: Collection[tuple[str, int]]
) -> set[tuple[str, int]]:
    """Lock the records that are not locked yet; return those that others have locked."""
    by_model: dict[str, list[int]] = {}
    for model, res_id in targets:
        by_model.setdefault(model, []).append(res_id)
    return {
        (model, res_id)
        for model, ids in by_model.items()
        for res_id in _locked_ids(env, model, ids)
    }


def _locked_ids(env: api.Environment, model: str, ids: Sequence[int]) -> set[int]:
    if model not in env.registry or not env.registry[model]._auto:
        return set()
    if env.registry[model]._abstract:
        return set()
    table = env.registry[model]._table
    env.cr.execute(
        f'SELECT id FROM "{table}" WHERE id = ANY(%s)'  # noqa: S608  a model's own table
        " ORDER BY id FOR NO KEY UPDATE SKIP LOCKED",
        [list(ids)],
    )
    others = set(ids) - {res_id for (res_id,) in env.cr.fetchall()}
    if not others:
        return set()
    env.cr.execute(
        f'SELECT id FROM "{table}" WHERE id = ANY(%s)',  # noqa: S608  a model's own table
        [list(others)],
    )
    return {res_id for (res_id,) in env.cr.fetchall()}
