"""Beats as instances send them, and a catalogue that takes them."""

import json
import uuid

from ...broker.beats.beat import Beat, read_beat
from ...broker.jobs.reply import Delivery
from ...models.catalogue import nameko_instance_beats
from ..common import ConnectorCase


def method(name, *parameters, doc=""):
    told = [{"name": each, "kind": "POSITIONAL_OR_KEYWORD"} for each in parameters]
    return {"name": name, "doc": doc, "parameters": told}


def service(name, *methods, doc=""):
    return {"name": name, "doc": doc, "methods": list(methods)}


def beat(*services, **said) -> Beat:
    """What an instance's beat is read as."""
    body = {
        "id": str(uuid.uuid4()),
        "host": "host",
        "pid": 7,
        "version": "1.0",
        "started": "2026-01-02T03:04:05+02:00",
        "interval": 30.0,
        "services": list(services),
    }
    read = read_beat(Delivery(1, "", "application/json", json.dumps(body | said)))
    assert read is not None
    return read


class CatalogueCase(ConnectorCase):
    def setUp(self):
        super().setUp()
        self.instances = self.env["nameko.instance"]
        self.quote = method("quote", "order", doc="Say the price.")
        self.pricing = beat(service("pricing", self.quote, doc="Prices."))

        self.leave_alone(self.instances.search([]))  # the stack's, which its relay writes, too
        self.patch(nameko_instance_beats, "LEARN_SECONDS", 3600)
        self.patch(nameko_instance_beats, "_warned", {})
        self.clock = self.instances._clock()
        self.patch(nameko_instance_beats, "NOW", f"TIMESTAMP '{self.clock}'")  # stands still

    def leave_alone(self, instances):
        model = type(self.instances)
        missing = model._missing
        self.patch(model, "_missing", lambda *args: missing(*args) - instances)

    def keep(self, *beats):
        while not self.instances.keep(beats):  # the stack's relay is at it, for a moment
            continue

    def instance(self, kept):
        return self.instances.search([("uuid", "=", kept.uuid)])

    def service(self, name="pricing"):
        return self.env["nameko.service"].search([("name", "=", name)])

    def pass_time(self, seconds):
        """Let the past of these tests' instances be so much longer ago."""
        self.env.flush_all()
        self.env.cr.execute(
            "UPDATE nameko_instance SET last_seen = last_seen - make_interval(secs => %(s)s),"
            " late_since = late_since - make_interval(secs => %(s)s) WHERE host = 'host'",
            {"s": seconds},
        )
        self.env.invalidate_all()

    def lose(self, *others):
        """Let all instances miss their beats until they are gone, but for these."""
        for _ in range(2):
            self.pass_time(1000)
            self.keep(*others)
