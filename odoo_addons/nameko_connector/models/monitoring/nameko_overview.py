"""The overview: running jobs, their speed, failures, and the state of broker and relay."""

from datetime import datetime, timedelta
from typing import Any, Literal

from odoo import api, fields, models
from odoo.exceptions import AccessError

from ...broker.amqp.config import InvalidBrokerConfig
from ...exceptions import SendingRefused
from ...job_store import relays
from ...job_store.monitoring import statistics
from ...job_store.monitoring.statistics import MINUTES, Ended, quantiles
from ...tools.configuration import broker_config

MOST_SERVICES = 50  # listed
MOST_FAILURES = 10
OLD_SECONDS = 75  # after which counts are outdated, and the overview counts itself
RATE_MINUTES = 5  # the longest period for the current rate
SHORTEST_RATE = 10  # s, the shortest period for it
Level = Literal["good", "warning", "bad", "off"]


class NamekoOverview(models.AbstractModel):
    """The data for the client action `nameko_connector.overview`, from rows of the relay."""

    _name = "nameko.overview"
    _description = "Overview"

    @api.model
    def read_overview(self) -> dict[str, Any]:
        """Return the data of the overview: durations in seconds, datetimes as Odoo's UTC texts.

        :raises odoo.exceptions.AccessError: the user is not a manager
        """
        if not self.env.user.has_group("nameko_connector.group_nameko_manager"):
            raise AccessError(
                self.env._("Only Nameko managers can see the Overview. Ask your administrator.")
            )
        now = fields.Datetime.now()
        counts, counted_at = self._counts(now)
        services, minutes = statistics.last_hour(self.env.cr)
        total = counts.pop("", {})
        rate = _rate(minutes, now)
        return {
            "lights": self.sudo()._lights(),
            "counted_at": fields.Datetime.to_string(counted_at),
            "total": {
                **_live(total, now),
                **_ended(services.values()),
                "rate": rate,
                "left": _left(total, rate),
            },
            "minutes": _minutes(minutes, now),
            "services": self.sudo()._services(counts, services, now),
            "failures": self._failures(),
        }

    def _counts(self, now: datetime) -> tuple[dict[str, dict[str, Any]], datetime]:
        """Return the counts of unfinished jobs by service, and when they were counted."""
        counts = self._read_counts()
        if not counts or counts[""]["counted_at"] < now - timedelta(seconds=OLD_SECONDS):
            statistics.count_live(self.env.cr)
            self.env["nameko.failure"].sudo()._count()
            counts = self._read_counts()
        return counts, counts[""]["counted_at"] if counts else now

    def _read_counts(self) -> dict[str, dict[str, Any]]:
        rows = self.env["nameko.job.count"].sudo()
        rows.invalidate_model(flush=False)
        names = ["service", "waiting", "later", "running", "oldest_at", "counted_at"]
        return {row["service"] or "": row for row in rows.search_read([], names)}

    # Whether all parts are there

    def _lights(self) -> list[dict[str, str]]:
        running = self._running_relays()
        return [
            self._broker_light(running),
            self._relay_light(running),
            self._services_light(),
            self._fallback_light(running),
        ]

    def _running_relays(self) -> int:
        return relays.running_relays(self.env.cr, relays.FROZEN_SECONDS)

    def _broker_light(self, running: int) -> dict[str, str]:
        try:
            address = broker_config().address
        except InvalidBrokerConfig as error:
            text = self.env._("Ask your administrator to correct this setting: %s", error)
            return _light("broker", "bad", self.env._("Message broker: not configured"), text)
        if running:
            text = self.env._("RabbitMQ carries jobs between Odoo and the services: %s", address)
            return _light("broker", "good", self.env._("Message broker: connected"), text)
        text = self.env._(
            "Without a relay, Odoo does not see whether it works. An administrator can check: "
            "“Test the connection” in the settings of Nameko."
        )
        return _light("broker", "off", self.env._("Message broker: not checked"), text)

    def _relay_light(self, running: int) -> dict[str, str]:
        try:
            self.env["nameko.database"]._check_may_send()
        except SendingRefused as refusal:
            return _light("relay", "bad", self.env._("Jobs are held"), str(refusal))
        if running:
            text = self.env._(
                "A relay sends jobs to the services and writes their results into Odoo."
            )
            return _light("relay", "good", self.env._("Relays: %s running", running), text)
        text = self.env._(
            "No relay sends jobs now. Ask your administrator to start one: "
            "ODOO_RC=/path/to/odoo.conf odoo nameko_relay -d %s. If one was started, it "
            "cannot reach the message broker: its log says why.",
            self.env.cr.dbname,
        )
        return _light("relay", "bad", self.env._("Relays: none running"), text)

    def _services_light(self) -> dict[str, str]:
        listed = self.env["nameko.service"].search([("method_ids", "!=", False)])
        up, late, gone = (
            listed.filtered(lambda service, state=state: service.state == state)
            for state in ("up", "late", "gone")
        )
        title = [self.env._("Services: %s up", len(up))]
        title += [self.env._("%s late", len(late))] if late else []
        title += [self.env._("%s gone", len(gone))] if gone else []
        level: Level = "bad" if gone else "warning" if late else "good" if up else "off"
        text = (
            "" if up else self.env._("No service reports to Odoo now. The menu Services has more.")
        )
        if missed := gone + late:
            names = ", ".join(missed[:MOST_SERVICES].mapped("name"))
            text = self.env._(
                "No heartbeat from: %s. Ask your administrator to look into the service's log "
                "and start it again.",
                names,
            )
        return _light("services", level, ", ".join(title), text)

    def _fallback_light(self, running: int) -> dict[str, str]:
        cron = self.env["nameko.job"]._cron()
        if not cron.active:
            text = self.env._(
                "Without a relay, no jobs are sent, because the scheduled action “%s” is "
                "archived. An administrator can unarchive it, in developer mode.",
                cron.name,
            )
            level: Level = "off" if running else "bad"
            return _light(
                "fallback", level, self.env._("Replacement for the relay: archived"), text
            )
        if running:
            text = self.env._("If no relay runs, a scheduled action takes over within a minute.")
            return _light("fallback", "good", self.env._("Replacement for the relay: ready"), text)
        text = self.env._(
            "A scheduled action sends jobs and writes results once a minute, until a relay runs."
        )
        return _light("fallback", "warning", self.env._("Replacement for the relay: in use"), text)

    # By service, and what fails

    def _services(
        self, counts: dict[str, dict[str, Any]], ended: dict[str, Ended], now: datetime
    ) -> list[dict[str, Any]]:
        """Return the services with jobs and those in the catalogue, the busiest first."""
        listed = self.env["nameko.service"].search([("method_ids", "!=", False)])
        by_name = {service.name: service for service in listed}
        rows = [
            {
                "name": name,
                **_live(counts.get(name, {}), now),
                **_ended([ended.get(name, Ended())]),
                **self._instances(by_name.get(name)),
            }
            for name in {*counts, *ended, *by_name}
        ]
        rows.sort(key=lambda row: (-row["waiting"] - row["running"], -row["done"], row["name"]))
        return rows[:MOST_SERVICES]

    def _instances(self, service: models.BaseModel | None) -> dict[str, Any]:
        if not service:
            return {"service_id": False, "up": 0, "late": 0, "gone": 0}
        return {
            "service_id": service.id,
            "up": service.up_count,
            "late": service.late_count,
            "gone": service.gone_count,
        }

    def _failures(self) -> list[dict[str, Any]]:
        """Return the newest groups of failures in the companies that the user works in."""
        shown = [("failed_count", ">", 0), ("is_ignored", "=", False)]
        names = ["display_name", "shape", "failed_count", "first_at", "last_at"]
        failures = self.env["nameko.failure"]
        rows = failures.search_read(shown, names, limit=MOST_FAILURES, load=None)
        for row in rows:
            row["shape"] = row["shape"] or self.env._("Various errors")
            for name in ("first_at", "last_at"):
                row[name] = fields.Datetime.to_string(row[name])
        return rows


def _light(key: str, level: Level, title: str, text: str) -> dict[str, str]:
    return {"key": key, "level": level, "title": title, "text": text}


def _live(count: dict[str, Any], now: datetime) -> dict[str, Any]:
    oldest = count.get("oldest_at")
    return {
        "waiting": count.get("waiting", 0) + count.get("later", 0),
        "later": count.get("later", 0),
        "running": count.get("running", 0),
        "oldest": max(0.0, (now - oldest).total_seconds()) if oldest else False,
    }


def _ended(all_ended: Any) -> dict[str, Any]:
    together = Ended()
    for ended in all_ended:
        together.states += ended.states
        together.waited += ended.waited
        together.ran += ended.ran
    return {
        "done": together.states["done"],
        "failed": together.states["failed"],
        "waited": quantiles(together.waited),
        "ran": quantiles(together.ran),
    }


def _rate(minutes: dict[datetime, Ended], now: datetime) -> float:
    """Return how many sent jobs per minute have ended in the last RATE_MINUTES."""
    late = {m: each for m, each in minutes.items() if m >= now - timedelta(minutes=RATE_MINUTES)}
    if not late:
        return 0.0
    seconds = max((now - min(late)).total_seconds(), SHORTEST_RATE)
    return 60 * sum(each.ran.total() for each in late.values()) / seconds


def _left(total: dict[str, Any], rate: float) -> float | bool:
    """Return the seconds until no ready job is left at this rate; False without jobs or rate."""
    left = total.get("waiting", 0) + total.get("running", 0)
    return max(1.0, 60 * left / rate) if left and rate else False


def _minutes(minutes: dict[datetime, Ended], now: datetime) -> list[dict[str, Any]]:
    """Return the ended jobs of each minute of the last hour, the earliest first."""
    last = now.replace(second=0, microsecond=0)
    shown = [last - timedelta(minutes=back) for back in range(MINUTES - 1, -1, -1)]
    return [
        {"minute": fields.Datetime.to_string(minute), **_ended([minutes.get(minute, Ended())])}
        for minute in shown
    ]
