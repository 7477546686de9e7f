"""Instances of the service `probe`, which is unmodified Nameko."""

from tests.processes import PLAIN_CONFIG, Process, nameko_run
from tests.vhosts import Vhost
from tests.waiting import wait_until

QUEUE = "rpc-probe"


class Service(Process):
    """An instance of the service `probe`."""

    def __init__(self, vhost: Vhost, **environment: str) -> None:
        self._vhost = vhost
        before = self._vhost.consumers(QUEUE)
        command = nameko_run("tests.broker.probe_service", config=PLAIN_CONFIG)
        super().__init__(
            "probe", command, {"AMQP_URI": vhost.amqp_uri, **environment}, fork="nameko"
        )
        wait_until(lambda: self._vhost.consumers(QUEUE) > before, what="the service probe")

    def kill_process(self) -> None:
        """Kill the process without asking the broker, which may be down."""
        super().kill()

    def kill(self) -> None:
        """Kill the process and wait until the broker has noticed."""
        before = self._vhost.consumers(QUEUE)
        super().kill()
        wait_until(lambda: self._vhost.consumers(QUEUE) < before, what="the end of a consumer")
