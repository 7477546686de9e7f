"""How many more jobs may be sent to each service."""

from __future__ import annotations

from typing import NamedTuple

from ..rows import NOW, READY, Cursor
from .policies import OF_SERVICE, Steering


class Capacity(NamedTuple):
    """How many more jobs may be sent to a service, and the state of the service.

    is_noted: it has had a queue; is_away: it has none now; is_heard: it has sent heartbeats;
    steering: the policies that pause or limit its jobs.
    """

    most: int
    is_noted: bool
    is_away: bool
    is_heard: bool
    steering: Steering


CAPACITIES = f"""
    WITH RECURSIVE ready(service) AS (
        (SELECT service FROM nameko_job WHERE {READY} ORDER BY service LIMIT 1)
        UNION ALL
        SELECT (SELECT next.service FROM nameko_job next
                 WHERE {READY} AND next.service > ready.service
                 ORDER BY next.service LIMIT 1)
          FROM ready WHERE ready.service IS NOT NULL)
    SELECT service,
           CASE WHEN route.look_at > {NOW} THEN 0
                WHEN route.away_since IS NOT NULL THEN 1
                ELSE %s - (SELECT count(*) FROM nameko_job sent
                            WHERE sent.state = 'sent' AND sent.service = ready.service)
                END,
           route.id IS NOT NULL, route.away_since IS NOT NULL,
           EXISTS (SELECT FROM nameko_service heard WHERE heard.name = service),
           {OF_SERVICE}
      FROM ready LEFT JOIN nameko_route route USING (service) WHERE service IS NOT NULL
"""  # noqa: S608  constants


def capacities(cr: Cursor, most: int) -> dict[str, Capacity]:
    """Return, for each service with ready jobs, its capacity if more may be sent now.

    What a policy limits is not subtracted: see `steering`.
    """
    cr.execute(CAPACITIES, [most])
    capacities = {
        service: Capacity(most, is_noted, is_away, is_heard, Steering.of(policies))
        for service, most, is_noted, is_away, is_heard, policies in cr.fetchall()
    }
    return {
        service: capacity
        for service, capacity in capacities.items()
        if capacity.most > 0 and not capacity.steering.is_paused
    }
