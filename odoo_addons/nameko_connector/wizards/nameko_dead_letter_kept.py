"""Dead letters that services store themselves, such as `mail`; see docs/services.md."""

import json
import time
from collections import Counter
from typing import Any

from odoo import models

from ..broker.amqp.request import Request
from ..models.catalogue.nameko_service import LIVE
from ..tools.texts import clean
from .nameko_dead_letter import Values

LIST, RETRY, DROP = "dead_letters", "retry_dead", "drop_dead"  # methods of such a service
MOST_KEPT = 500  # letters in all
MOST_SECONDS = 20.0  # that all services together may take
MOST_NAME = 200  # characters
MOST_TEXT = 10_000  # characters


class NamekoDeadLetter(models.TransientModel):
    _inherit = "nameko.dead.letter"

    def _of_services(self, service: str) -> list[Values]:
        """Return the values of letters that services store, and rows for services' errors."""
        until = time.monotonic() + MOST_SECONDS
        found: list[Values] = []
        for name in self._keepers(service):
            left = until - time.monotonic()
            if left <= 0 or len(found) >= MOST_KEPT:
                text = self.env._("This service was not asked. Open its own list.")
                found.append({"kind": "kept", "service": name, "name": name, "reason": text})
                continue
            answer = self._answer(name, LIST, (), left)
            if isinstance(answer, list):
                letters = [each for each in answer if isinstance(each, dict)]
                found += [_kept(name, each) for each in letters[: MOST_KEPT - len(found)]]
            elif isinstance(answer, Exception):
                text = clean(str(answer))[:MOST_TEXT]
                found.append({"kind": "kept", "service": name, "name": name, "reason": text})
        return found

    def _keepers(self, service: str) -> list[str]:
        """Return the running services that store their own dead letters."""
        domain = [("state", "in", LIVE), *([("name", "=", service)] if service else [])]
        services = self.env["nameko.service"].sudo().search(domain)
        wanted = {LIST, RETRY, DROP}
        return [each.name for each in services if wanted <= set(each.method_ids.mapped("name"))]

    def _answer(self, service: str, method: str, args: tuple[Any, ...], seconds: float) -> Any:
        """Call a method of a service; return its answer or the error."""
        request = Request(service, method, args, {})
        (answer,) = self.env["nameko.rpc"].call_many([request], timeout=seconds)
        return answer

    def _handle_kept(self, *, send: bool) -> tuple["NamekoDeadLetter", Counter[str]]:
        """Call the services to handle these letters one by one, as they process one at a time."""
        method = RETRY if send else DROP
        done, why = self.browse(), Counter[str]()
        until = time.monotonic() + MOST_SECONDS
        for letter in self:
            left = until - time.monotonic()
            if left <= 0:
                why[self.env._("there was no time left. Try again.")] += 1
                continue
            answer = self._answer(letter.service, method, (letter.key,), left)
            if isinstance(answer, Exception):
                why[clean(str(answer))[:MOST_NAME]] += 1
            else:
                done |= letter
        return done, why


def _kept(service: str, letter: Values) -> Values:
    """Return the values of a letter that a service stores, from the service's answer."""
    text = json.dumps(letter, ensure_ascii=False, indent=1, default=str)
    about = {name: each for name, each in letter.items() if each and name not in ("id", "error")}
    name = ", ".join(f"{name}: {each}" for name, each in about.items())
    return clean({
        "kind": "kept",
        "service": service,
        "key": str(letter.get("id", ""))[:MOST_NAME],
        "name": name[:MOST_NAME],
        "reason": str(letter.get("error", ""))[:MOST_TEXT],
        "body": text[:MOST_TEXT],
        "size": len(text.encode(errors="replace")),
    })  # fmt: skip
