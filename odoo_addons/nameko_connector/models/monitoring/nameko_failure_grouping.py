"""Put failed jobs into groups, and create missing groups. The relay calls this."""

import hashlib
from collections import Counter
from collections.abc import Iterable

from odoo import api, fields, models

from ...job_store.monitoring import failures as store
from ...tools.texts import shape_of
from ..catalogue.nameko_service_keep import QUIETLY

MOST_SHAPES = 50  # groups of one method; further messages share a group
MOST_GROUPS = 2_000  # in all; further failures share one group per company
MOST_MADE = 20  # groups at a time
Name = tuple[int, str, str, str, str]  # company, service, method, type of error, shape


class NamekoFailure(models.Model):
    _inherit = "nameko.failure"

    @api.model
    def _group_new(self) -> set[int]:
        """Put some failed jobs into their groups; return the ids of the groups."""
        jobs = store.ungrouped(self.env.cr)
        if not jobs:
            return set()
        groups = self._groups_of(jobs)
        store.put_into_group(self.env.cr, groups)
        return set(groups)

    @api.model
    def _groups_of(self, jobs: Iterable[store.Failed]) -> dict[int, list[int]]:
        """Return job ids by group id; create MOST_MADE groups at most, and leave other jobs out."""
        found = self._known(jobs)
        count = self._count_places()
        made = 0
        groups: dict[int, list[int]] = {}
        for job in jobs:
            place = job.place
            is_free = sum(count.values()) < MOST_GROUPS
            rooms = (is_free and count[place] < MOST_SHAPES, is_free, True)
            choices = zip(_names(job), rooms, strict=True)
            name = next(name for name, has_room in choices if has_room or name in found)
            if name not in found and made < MOST_MADE:
                found[name] = self._make(name, job)
                made += 1
                count[place] += 1
            if name in found:
                groups.setdefault(found[name].id, []).append(job.id)
        return groups

    @api.model
    def _known(self, jobs: Iterable[store.Failed]) -> dict[Name, "NamekoFailure"]:
        names = {_key(name): name for job in jobs for name in _names(job)}
        return {names[group.key]: group for group in self.search([("key", "in", list(names))])}

    @api.model
    def _count_places(self) -> Counter[tuple[int, str, str]]:
        """Count the groups by company, service and method."""
        places = ["company_id", "service", "method"]
        return Counter(
            {
                (company.id, service, method): count
                for company, service, method, count in self._read_group([], places, ["__count"])
            }
        )

    def _make(self, name: Name, job: store.Failed) -> "NamekoFailure":
        company, service, method, error_type, shape = name
        now = fields.Datetime.now()
        return self.with_context(**QUIETLY).create(
            {
                "key": _key(name),
                "company_id": company,
                "service": service,
                "method": method,
                "error_type": error_type,
                "shape": shape,
                "message": job.message,
                "first_at": now,
                "last_at": now,
                "user_id": self._responsible(job).id,
            }
        )

    def _responsible(self, job: store.Failed) -> models.BaseModel:
        """Return the job's user if it is a manager, else the first manager of the company."""
        managers = self.env["nameko.service"]._managers()
        asked = managers.filtered(lambda user: user.id == job.user_id)
        theirs = managers.filtered(lambda user: job.company_id in user.company_ids.ids)
        return asked or theirs.sorted("id")[:1]


def _names(job: store.Failed) -> tuple[Name, Name, Name]:
    """Return the groups that the job may be in, the preferred one first."""
    return (
        (*job.place, job.error_type, shape_of(job.message, f"{job.service}.{job.method}")),
        (*job.place, "", ""),
        (job.company_id, "", "", "", ""),
    )


def _key(name: Name) -> str:
    return hashlib.sha256(repr(name).encode()).hexdigest()
