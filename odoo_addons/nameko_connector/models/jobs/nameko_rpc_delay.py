"""Enqueue jobs: `self.env["nameko.rpc"].delay("pricing", "quote", 5, on_result="_on_quote")`."""

import uuid
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import Any

from odoo import api, fields, models

from ...broker.amqp.errors import RpcError
from ...broker.amqp.request import Request
from ...exceptions import InvalidJob, user_error
from ...job_store import enqueue
from ...tools.configuration import max_message_bytes
from ...tools.job_request import OPTIONS, JobOptions, JobRequest, split_options
from ...tools.option_checks import checked_job, checked_list
from ...tools.parameters import (
    JOB_MAX_AGAIN,
    JOB_MAX_ATTEMPTS,
    JOB_TIMEOUT,
    read_retry_delays,
    retry_delays_text,
)
from ...tools.requester import requester
from ...tools.texts import shorten
from .nameko_job import DEFAULT_PRIORITY

CALLBACK_PREFIX = "_on_"
MOST_NAMED = 3  # methods in the name of a batch


class NamekoRpc(models.AbstractModel):
    _inherit = "nameko.rpc"

    @api.model
    @api.private
    def delay(self, service: str, method: str, *args: Any, **kwargs: Any) -> models.BaseModel:
        """Enqueue a job that calls a service; the job is part of this transaction.

        It runs at least once after the commit, and never after a rollback. Its result is written
        exactly once, with the rights of this user in this company.

        :param args: of the method, as for `call`
        :param kwargs: `job_request.JobOptions` by name; all others go to the method. If the method
            itself has a parameter with such a name, use `service`.
        :return: the job
        :raises exceptions.NamekoError: an argument cannot be sent, or an option is wrong
        """
        arguments, options = split_options(kwargs)
        request = JobRequest(service, method, args, arguments, JobOptions(**options))
        return self.delay_many([request])

    @api.model
    @api.private
    def delay_many(
        self,
        requests: Iterable[JobRequest],
        *,
        name: str | None = None,
        record: models.BaseModel | None = None,
        on_done: str | None = None,
    ) -> models.BaseModel:
        """Enqueue many jobs at once. More than one form a batch, which shows their progress.

        :param name: of the batch
        :param record: on which `on_done` is called, with the batch, when all its jobs have ended
        :param on_done: a method of `record`, named `_on_...`
        :return: the jobs in the order of the requests; for a request whose identity key is in use,
            the job that uses it
        """
        requests = [checked_job(each) for each in checked_list(requests, JobRequest)]
        if on_done and not record:
            raise InvalidJob("on_done needs a record.")
        if len(requests) <= 1 and not on_done:
            return self._delay_all(requests)[0]
        batches = self.env["nameko.batch"]
        title = name or _name_of(requests) or on_done or ""
        batch = batches._begin(title, record=record, on_done=on_done)
        jobs, count = self._delay_all(requests, batch)
        batch._set_total(count)
        return jobs

    def _delay_all(
        self, requests: Sequence[JobRequest], batch: models.BaseModel | None = None
    ) -> tuple[models.BaseModel, int]:
        """Insert the jobs; return them, and how many are new."""
        self._check_allowed(*{request.service for request in requests})
        self._check_predecessors(requests)
        common = {**self._common_values(), "batch_id": batch and batch.id}
        rows = [{**common, **self._job_values(request, common)} for request in requests]
        ids = enqueue.insert_jobs(self.env.cr, rows)
        new = len(ids)
        self._link_predecessors(ids, rows, requests)
        if len(ids) < len(rows):
            ids |= self._matching(rows, requests, ids)
        self.env["nameko.job"]._wake()
        return self.env["nameko.job"].browse(ids[row["uuid"]] for row in rows), new

    def _matching(
        self,
        rows: Sequence[dict[str, Any]],
        requests: Sequence[JobRequest],
        new: Collection[str],
    ) -> dict[str, int]:
        """Return the jobs that have the keys of the rows that were not inserted, by their uuids.

        Replace the arguments of these jobs, if their requests ask for it.
        """
        others = [row for row in rows if row["uuid"] not in new]
        ids = enqueue.jobs_with_key(self.env.cr, others)
        wanted = {
            ids[row["uuid"]]: row
            for row, request in zip(rows, requests, strict=True)
            if row["uuid"] in ids and request.options.on_match == "replace"
        }
        replaced = self.env["nameko.job"].browse(enqueue.replace_arguments(self.env.cr, wanted))
        replaced.invalidate_recordset(flush=False)
        self.env["nameko.live"]._note([(replaced._name, job_id) for job_id in replaced.ids])
        return ids

    @api.model
    @api.private
    def chain(self, *requests: JobRequest, name: str | None = None) -> models.BaseModel:
        """Enqueue jobs that run one after the other, each with the result of the one before it.

        :param name: of their batch
        :return: the jobs in their order
        """
        checked = [checked_job(each) for each in requests]
        batch = self.env["nameko.batch"]
        if len(checked) > 1:
            batch = batch._begin(name or _name_of(checked))
        jobs, count = self.env["nameko.job"], 0
        for request in checked:
            options = {name: getattr(request.options, name) for name in OPTIONS}
            if jobs:
                options |= {"after": jobs[-1], "results_as": "arguments"}
            job, new = self._delay_all([replace(request, options=JobOptions(**options))], batch)
            jobs, count = jobs + job, count + new
        if batch:
            batch._set_total(count)
        return jobs

    def _common_values(self) -> dict[str, Any]:
        return {
            "state": "pending",
            "attempts": 0,
            "progress": 0,
            "has_result": False,
            **requester(self.env),
            "create_uid": self.env.uid,
            "write_uid": self.env.uid,
            "timeout": JOB_TIMEOUT.value(self.env),
            "max_attempts": max(1, int(JOB_MAX_ATTEMPTS.value(self.env))),
            "max_again": max(1, int(JOB_MAX_AGAIN.value(self.env))),
            "retry_delays": read_retry_delays(self.env),
            "priority": DEFAULT_PRIORITY,
        }

    def _job_values(self, request: JobRequest, common: dict[str, Any]) -> dict[str, Any]:
        options = request.options
        _check_keys(request)
        given: dict[str, Any] = {
            "priority": options.priority,
            "timeout": options.timeout,
            "max_attempts": options.max_attempts,
            "max_again": options.max_again,
        }
        if options.retry_delays is not None:
            given["retry_delays"] = retry_delays_text(options.retry_delays)
        return {
            "uuid": str(uuid.uuid4()),
            "service": request.service,
            "method": request.method,
            "arguments": self._encode_arguments(request),
            "identity_key": options.identity_key,
            "unique_for": options.unique_for,
            "retry_on": ",".join(sorted(options.retry_on)) or None,
            "results_as": options.results_as,
            **_waiting_values(options),
            **self._target_values(request),
            **{name: value for name, value in given.items() if value is not None},
        }

    def _check_predecessors(self, requests: Sequence[JobRequest]) -> None:
        after = [request.options.after for request in requests if request.options.after]
        waited = self.env["nameko.job"].union(*after)
        if missing := waited - waited.exists():
            raise InvalidJob(f"after has jobs that no longer exist: {shorten(missing)}.")

    def _encode_arguments(self, request: JobRequest) -> str:
        from ...broker.jobs.body import encode_body  # noqa: PLC0415  loads kombu

        called = Request(request.service, request.method, request.args, request.kwargs)
        try:
            return encode_body(called, max_message_bytes())
        except RpcError as error:
            raise user_error(error, self.env) from error

    def _target_values(self, request: JobRequest) -> dict[str, Any]:
        """Return the columns of the record and callbacks; check that the user may use them."""
        record, options = request.options.record, request.options
        names = {
            "result_field": options.result_field,
            "on_result": options.on_result,
            "on_error": options.on_error,
        }
        if not record:
            if any(names.values()):
                raise InvalidJob(f"{request}: result_field, on_result and on_error need a record.")
            return {}
        self._check_target(request, record)
        target = {"res_model": record._name, "res_id": record.id, **names}
        if "company_id" in record._fields:  # hides the job with the record
            company = record.sudo().company_id
            target |= {"company_id": company.id} if company in self.env.companies else {}
        return target

    def _check_target(self, request: JobRequest, record: models.BaseModel) -> None:
        options = request.options
        for name in filter(None, (options.on_result, options.on_error)):
            checked_callback(record, name)
        if options.result_field:
            if options.on_result:
                raise InvalidJob(f"{request}: give result_field or on_result, not both.")
            if options.result_field not in record._fields:
                raise InvalidJob(f"{request}: {record._name} has no field {options.result_field}.")
            record._check_field_access(record._fields[options.result_field], "write")
        record.check_access("write" if options.result_field else "read")

    def _link_predecessors(
        self,
        ids: dict[str, int],
        rows: Sequence[dict[str, Any]],
        requests: Sequence[JobRequest],
    ) -> None:
        links = [
            {"job_id": ids[row["uuid"]], "predecessor_id": predecessor, "sequence": number}
            for row, request in zip(rows, requests, strict=True)
            if request.options.after and row["uuid"] in ids
            for number, predecessor in enumerate(request.options.after.ids)
        ]
        enqueue.link_predecessors(self.env.cr, links)


def _check_keys(request: JobRequest) -> None:
    options = request.options
    if options.identity_key is None and (options.unique_for or options.on_match == "replace"):
        raise InvalidJob(f"{request}: unique_for and on_match need an identity_key.")
    if options.most_at_once and options.limit_key is None:
        raise InvalidJob(f"{request}: most_at_once needs a limit_key.")


def _waiting_values(options: JobOptions) -> dict[str, Any]:
    """Return the columns that say what a job waits for: its time, other jobs, or its turn."""
    is_waiting = bool(options.after or options.limit_key)
    return {
        "eta": options.eta and fields.Datetime.to_string(options.eta),
        "limit_key": options.limit_key,
        "most_at_once": options.limit_key and (options.most_at_once or 1),
        "is_waiting": is_waiting,
        "is_ready": not (is_waiting or options.eta),
    }


def _name_of(requests: Sequence[JobRequest]) -> str:
    """Return the default name of a batch: its methods."""
    names = dict.fromkeys(map(str, requests))
    return ", ".join([*list(names)[:MOST_NAMED], *(["…"] if len(names) > MOST_NAMED else [])])


def checked_callback(record: models.BaseModel, name: str) -> str:
    """Return the name; raise InvalidJob unless it is that of a method named `_on_...`."""
    if not name.startswith(CALLBACK_PREFIX) or not callable(getattr(type(record), name, None)):
        raise InvalidJob(
            f"{record._name} has no method {name} that takes results: its name must begin with "
            f"{CALLBACK_PREFIX}."
        )
    return name
