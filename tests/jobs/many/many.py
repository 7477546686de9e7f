"""Databases that one relay service serves, on one virtual host, with one service."""

import psutil

from tests.databases import run_outside
from tests.jobs.databases.elsewhere import forget
from tests.jobs.world import DATABASE, World
from tests.processes import Process
from tests.waiting import PATIENCE, wait_until

PREFIX = "nameko_many_"


def create(name: str) -> None:
    """Create a database that has the tests' addon and has sent nothing yet."""
    forget(DATABASE)
    run_outside("DROP DATABASE IF EXISTS {} WITH (FORCE)", PREFIX + name)
    run_outside("CREATE DATABASE {} TEMPLATE {}", PREFIX + name, DATABASE)


def drop(name: str) -> None:
    """Drop a database that `create` has made, also while somebody is connected."""
    forget(PREFIX + name)
    run_outside("DROP DATABASE IF EXISTS {} WITH (FORCE)", PREFIX + name)


class Many:
    """Worlds that share a broker, and the relay service of their databases."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._services: list[Process] = []

    def __getitem__(self, name: str) -> World:
        return self.world.beside(PREFIX + name)

    def start(self, *options: str, only: str = "(?!bench)", wait: bool = True) -> Process:
        """Start the service for all databases of tests. only: a pattern of their names"""
        pattern = f"--db-filter=^{PREFIX}{only}"
        service = self.world.start_relay(pattern, *options, wait=False, PGDATABASE="")
        self._services.append(service)
        if wait:
            service.wait_for_log("The relay service runs")
        return service

    def close(self) -> None:
        """End the services and their children."""
        running = [each for each in self._services if each.is_alive()]
        left = [process for service in running for process in children(service)]
        for service in running:
            service.kill()
        _, alive = psutil.wait_procs(left, PATIENCE)
        assert not alive


def children(service: Process) -> list[psutil.Process]:
    """Return the running children of a service."""
    return list(psutil.Process(service.pid).children())


def child(service: Process, name: str) -> psutil.Process:
    """Wait until a child serves a database; return the newest one."""
    text = f"The relay serves the database {PREFIX}{name}"
    service.wait_for_log(text)
    pid = [line.split()[2] for line in service.lines if text in line][-1]
    return psutil.Process(int(pid))


def wait_for_children(service: Process, count: int) -> None:
    """Wait until a service has so many children."""
    wait_until(lambda: len(children(service)) == count, what=f"{count} children")
