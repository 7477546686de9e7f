"""Dead letters: messages that were given up. Administrators can read, resend or drop them.

They may belong to any company, and to other databases on the same broker. So a manager of one
company must not see them.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import Any

from odoo import api, fields, models
from odoo.exceptions import AccessError

from ..broker.amqp.errors import RpcError
from ..broker.jobs.ids import read_correlation_id
from ..models.catalogue.nameko_service import MOST_SERVICES
from ..models.jobs.nameko_job_actions import AGAIN
from ..tools.client_actions import Kind, notification
from ..tools.configuration import broker_config
from ..tools.texts import clean

MOST_LISTED = 2_000  # letters in all
KINDS = [("request", "Request"), ("answer", "Answer to a Job"), ("kept", "Kept by Its Service")]
IDENTITY = ("kind", "service", "queue", "key")
LOOK = "nameko_look"  # in the context of a list: the service whose letters it shows, "" for all
Values = dict[str, Any]


class NamekoDeadLetter(models.TransientModel):
    """A dead letter in a user's list, read from the broker or from a service."""

    _name = "nameko.dead.letter"
    _description = "Dead Letter"
    _order = "id"

    kind = fields.Selection(KINDS, readonly=True)
    service = fields.Char(readonly=True)
    queue = fields.Char(readonly=True)
    key = fields.Char(readonly=True)
    name = fields.Char("What Was Sent", readonly=True)
    reason = fields.Text("Why It Was Given Up", readonly=True)
    body = fields.Text(
        "Contents", readonly=True, prefetch=False, help="The first 10,000 characters."
    )
    size = fields.Integer("Size (Bytes)", readonly=True)
    job_id = fields.Many2one("nameko.job", readonly=True, ondelete="cascade")

    # Looking

    @api.model
    def action_look(self, service: str = "") -> Values:
        """Show the dead letters of a service, or all."""
        self._check_administrator()
        action = self.env["ir.actions.act_window"]._for_xml_id(
            "nameko_connector.nameko_dead_letter_action"
        )
        domain = [("service", "=", service)] if service else []
        return {**action, "domain": domain, "context": {LOOK: service}}

    @api.model
    def web_search_read(self, *args: Any, **kwargs: Any) -> Values:
        """Read the letters again before the list is shown, also when the page is reloaded."""
        service = self.env.context.get(LOOK)
        if isinstance(service, str):
            self._look(service)
        found: Values = super().web_search_read(*args, **kwargs)
        return found

    @api.model
    def _look(self, service: str = "") -> None:
        """Read the letters of a service, or all, into the user's list.

        Letters that are in the list already keep their records, as another page may show them.
        """
        self._check_administrator()
        found = [*self._of_broker(service), *self._of_services(service)][:MOST_LISTED]
        domain = [("create_uid", "=", self.env.uid)]
        domain += [("service", "=", service)] if service else []
        before = defaultdict(list)
        for letter in self.sudo().search(domain):
            before[letter.kind, letter.service, letter.queue, letter.key].append(letter.id)
        new = []
        for values in found:
            same = before[tuple(values.get(name, False) for name in IDENTITY)]
            if same:
                same.pop()
            else:
                new.append(values)
        self.sudo().browse(chain.from_iterable(before.values())).unlink()
        self.sudo().create(new)

    def _check_administrator(self) -> None:
        groups = ("nameko_connector.group_nameko_manager", "base.group_system")
        if not all(map(self.env.user.has_group, groups)):
            raise AccessError(
                self.env._(
                    "Only Nameko managers who are also administrators of Odoo can see dead "
                    "letters, because these may be of any company. Ask your administrator."
                )
            )

    @contextmanager
    def _opened(self) -> Iterator[Any]:
        """Open a connection for the broker's dead letters.

        :raises exceptions.NamekoError: this database may not send, or the broker is unavailable
        """
        from ..broker.jobs.dead_letters import dead_letters  # noqa: PLC0415  loads py-amqp

        self.env["nameko.database"]._check_may_send()
        try:
            with dead_letters(broker_config()) as opened:
                yield opened
        except RpcError as error:
            raise self.env["nameko.rpc"]._user_error(error) from error

    def _of_broker(self, service: str) -> list[Values]:
        """Return the values of the letters in the broker's queues."""
        from ..broker.jobs.dead_letter import queues_of, queues_of_all  # noqa: PLC0415

        if service:
            queues = queues_of(service)
        else:
            names = self.env["nameko.service"].sudo().search([], limit=MOST_SERVICES).mapped("name")
            identity = self.env["nameko.database"].sudo().database_identity()
            queues = queues_of_all(names, identity)
        with self._opened() as opened:
            found = opened.look(queues)
        letters = [each for each in found.letters if service in ("", each.service)]
        return [*self._notes(found, service), *self._with_jobs(letters)]

    def _notes(self, found: Any, service: str) -> list[Values]:
        """Return rows that say which letters are not shown, and why."""
        more = self.env._(
            "There are more letters. These are the oldest: handle them, then look again."
        )
        notes = [(queue, more) for queue in found.with_more]
        for queue, why in found.unreadable.items():
            notes.append((queue, self.env._("This queue cannot be read: %s", why)))
        common = {"name": self.env._("Not all letters are shown"), "service": service}
        return [{**common, "queue": queue, "reason": clean(text)} for queue, text in notes]

    def _with_jobs(self, letters: Sequence[Any]) -> list[Values]:
        """Return the values of letters, each with its job if it is in this database."""
        ids = [read_correlation_id(each.correlation_id) for each in letters]
        uuids = [each and each[0] for each in ids]
        jobs = self.env["nameko.job"].sudo().search([("uuid", "in", list(filter(None, uuids)))])
        job_ids = {job.uuid: job.id for job in jobs}
        return [
            {**self._values(letter), "job_id": job_ids.get(uuid)}
            for letter, uuid in zip(letters, uuids, strict=True)
        ]

    def _values(self, letter: Any) -> Values:
        """Return the values of a letter in one of the broker's queues."""
        no_text = self.env._("This cannot be shown: it is no text.")
        texts = {
            "service": letter.service,
            "name": letter.name if letter.kind == "request" else letter.correlation_id,
            "reason": letter.reason,
            "body": letter.body or no_text,
        }
        about = {"kind": letter.kind, "queue": letter.queue, "key": letter.key}
        return {**clean(texts), **about, "size": letter.size}

    # Handling

    def action_send_again(self) -> Values:
        """Send the letters again; for the request of a job, retry the job instead."""
        letters = self._still_there()
        with_job = letters.filtered(lambda each: each.kind == "request" and each.job_id)
        again = with_job._retry_jobs()
        done, why = (letters - with_job)._handle(send=True)
        dropped, _why = again._handle(send=False)
        why[self.env._("their job cannot be retried. Open it, or drop the letter.")] = len(
            with_job - again
        )
        return self._notify(self.env._("%s sent again.", len(done | again)), done | dropped, why)

    def action_drop(self) -> Values:
        """Delete the letters for good."""
        done, why = self._still_there()._handle(send=False)
        return self._notify(self.env._("%s dropped.", len(done)), done, why)

    def _still_there(self) -> "NamekoDeadLetter":
        """Return the letters that are still in the list."""
        self._check_administrator()
        letters = self.exists()
        letters.check_access("read")
        return letters.filtered("key")

    def _retry_jobs(self) -> "NamekoDeadLetter":
        """Retry the jobs that have failed; return the letters of those that will run again."""
        jobs = self.job_id._filtered_access("read").filtered(lambda job: job.state in AGAIN)
        if jobs:
            jobs.action_retry()
        return self.filtered(lambda each: each.job_id in jobs and each.job_id.state not in AGAIN)

    def _handle(self, *, send: bool) -> tuple["NamekoDeadLetter", Counter[str]]:
        """Drop or send these; return the handled ones, and the number of others by reason."""
        kept = self.filtered(lambda each: each.kind == "kept")
        done, why = kept._handle_kept(send=send)
        others = (self - kept).grouped("queue")
        if not others:
            return done, why
        with self._opened() as opened:
            for queue, letters in others.items():
                handled = opened.handle(queue, letters.mapped("key"), send=send)
                done |= letters._of_keys(handled.done)
                why[self.env._("their service has no queue. Start it, then try again.")] += len(
                    handled.unroutable
                )
                why[self.env._("they are larger than max_message_bytes in odoo.conf.")] += len(
                    handled.too_large
                )
                gone = len(letters) - sum(map(len, vars(handled).values()))
                why[self.env._("they are gone, or somebody else looks at them.")] += gone
        return done, why

    def _of_keys(self, keys: Sequence[str]) -> "NamekoDeadLetter":
        """Return one letter for each of these keys; equal letters have the same key."""
        left = Counter(keys)
        found = self.browse()
        for letter in self:
            if left[letter.key] > 0:
                left[letter.key] -= 1
                found |= letter
        return found

    def _notify(self, done: str, handled: "NamekoDeadLetter", why: Counter[str]) -> Values:
        """Delete handled letters from the list; return a notification about the outcome."""
        handled.sudo().unlink()
        lines = [
            self.env._("%(count)s skipped: %(why)s", count=count, why=text)
            for text, count in why.items()
            if count
        ]
        if not handled and not lines:
            lines.append(self.env._("Nothing was selected that is still there. Look again."))
        kind: Kind = "warning" if lines else "success"
        message = notification("\n".join([done, *lines]), kind, reload=True)
        if self.env.context.get("nameko_from_form") and handled:
            message["params"]["next"] = {**self.action_look(), "target": "main"}
        return message
