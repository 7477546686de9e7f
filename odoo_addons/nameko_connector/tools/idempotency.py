"""The idempotency id of a call: it stays the same when Odoo retries the code that makes the call.

After a conflict with another transaction, Odoo rolls back and retries, up to five times in all,
including every call. The id is made from what is retried, from the service, method and arguments,
and from the number of equal calls before it in the same run. So the order of different calls does
not matter, and a call with other arguments has another id.

Odoo retries the HTTP request. Without one (XML-RPC and JSON-RPC, scheduled actions, the relay,
a shell), the transaction is used instead: a call that is repeated after a rollback, with the same
cursor, has the same id; after a commit, it has another one.
"""

from __future__ import annotations

import uuid
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from odoo.http import request as odoo_request
from odoo.sql_db import BaseCursor

if TYPE_CHECKING:
    from ..broker.amqp.encoding import Encoded

ATTRIBUTE = "nameko_calls"  # of a request or cursor


@dataclass
class Calls:
    """The calls of a request or transaction that Odoo may retry.

    run: the objects that Odoo replaces before a retry of a request: its session after a conflict,
        or its cursor if a read-only one was not enough
    """

    run: tuple[Any, ...] = ()
    key: uuid.UUID = field(default_factory=uuid.uuid4)
    made: Counter[uuid.UUID] = field(default_factory=Counter)
    is_watching: bool = False

    def id_of(self, message: Encoded) -> str:
        call = uuid.uuid5(self.key, f"{message.routing_key}\n{message.body}")
        self.made[call] += 1
        return str(uuid.uuid5(call, str(self.made[call])))

    def begin_run(self, run: tuple[Any, ...]) -> None:
        """Reset the counts, unless it is still the same run."""
        if len(run) != len(self.run) or any(a is not b for a, b in zip(run, self.run, strict=True)):
            self.run = run
            self.made.clear()

    def watch(self, cursor: BaseCursor) -> None:
        """Reset the counts after a rollback; remove this object after a commit."""
        if not self.is_watching:
            cursor.postrollback.add(self._on_rollback)
            cursor.postcommit.add(lambda: delattr(cursor, ATTRIBUTE))
            self.is_watching = True

    def _on_rollback(self) -> None:
        self.made.clear()
        self.is_watching = False  # the cursor has cleared both hooks


def idempotency_id(cursor: BaseCursor, message: Encoded) -> str:
    """Return the id of a call that is about to be sent; call this once per call.

    cursor: of the environment that makes the call
    """
    calls = _calls_of(odoo_request or cursor)
    if odoo_request:
        environment = odoo_request.env
        calls.begin_run((odoo_request.session, environment and environment.cr))
    else:
        calls.watch(cursor)
    return calls.id_of(message)


def _calls_of(owner: Any) -> Calls:
    calls: Calls | None = getattr(owner, ATTRIBUTE, None)
    if calls is None:
        calls = Calls()
        setattr(owner, ATTRIBUTE, calls)
    return calls
