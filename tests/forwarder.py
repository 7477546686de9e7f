"""A TCP forwarder in a process of its own: `python -m tests.forwarder PORT TARGET_PORT`.

SIGSTOP freezes all connections through it until SIGCONT. SIGUSR1 stops forwarding the open
connections without closing them, as a router does that has forgotten them; new ones work.
"""

import asyncio
import signal
import sys

HOST = "127.0.0.1"


class Forwarder:
    def __init__(self, target_port: int) -> None:
        self._target_port = target_port
        self._pumps: set[asyncio.Task[None]] = set()
        self._kept_open: list[asyncio.StreamWriter] = []

    async def connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            target_reader, target_writer = await asyncio.open_connection(HOST, self._target_port)
        except OSError:
            writer.close()
            return
        self._start_pump(reader, target_writer)
        self._start_pump(target_reader, writer)

    def _start_pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._pump(reader, writer))
        self._pumps.add(task)
        task.add_done_callback(self._pumps.discard)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        except asyncio.CancelledError:
            self._kept_open.append(writer)
            raise
        except OSError:
            pass
        writer.close()

    def forget_connections(self) -> None:
        for pump in self._pumps:
            pump.cancel()


async def main(port: int, target_port: int) -> None:
    forwarder = Forwarder(target_port)
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, forwarder.forget_connections)
    server = await asyncio.start_server(forwarder.connect, HOST, port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
