"""The service `probe` with another name: `nameko run plain_probe_service:PlainProbeService`."""

from probe_service import ProbeService


class PlainProbeService(ProbeService):
    name = "plain_probe"
