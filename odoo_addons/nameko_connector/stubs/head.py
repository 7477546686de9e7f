"""The fixed part of a module: imports, and the options that a service takes.

All names begin with `_`, as no name of the catalogue does.
"""

from __future__ import annotations

import re
from dataclasses import fields
from typing import get_args

from ..tools.job_request import JobOptions, OnMatch, ResultsAs

HEAD = '''\
"""Nameko services, written by the command `odoo nameko_stubs`. Do not edit: run it again."""
# fmt: off
# mypy: disable-error-code="attr-defined,no-any-return"
# pylint: skip-file
# pyright: reportAttributeAccessIssue=false
# ruff: noqa

from __future__ import annotations

import typing as _t

if _t.TYPE_CHECKING:
    import builtins as _builtins
    import datetime as _datetime
    import decimal as _decimal
    import uuid as _uuid

    from odoo import models as _models
    from odoo.addons.nameko_connector.tools.job_request import JobRequest as _JobRequest
    from odoo.api import Environment as _Environment
    from typing_extensions import Unpack as _Unpack

_Returned = _t.TypeVar("_Returned", covariant=True)


class _Options(_t.TypedDict, total=False):
'''
# The names in the types of `JobOptions`, as the module writes them.
NAMES = {
    "Any": "_t.Any",
    "Collection": "_t.Collection",
    "Sequence": "_t.Sequence",
    "datetime": "_datetime.datetime",
    "timedelta": "_datetime.timedelta",
    "OnMatch": f"_t.Literal{[*get_args(OnMatch)]}",
    "ResultsAs": f"_t.Literal{[*get_args(ResultsAs)]}",
}


def head() -> str:
    """Return the fixed part."""
    return HEAD + "".join(f"    {each.name}: {_option(each.type)}\n" for each in fields(JobOptions))


def _option(annotation: object) -> str:
    """Return the type of an option, None included."""
    code = re.sub(r"\w+", lambda name: NAMES.get(name[0], name[0]), str(annotation))
    return code if code == "_t.Any" or code.endswith("None") else f"{code} | None"
