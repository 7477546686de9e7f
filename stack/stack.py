"""Starts each program of the stack when those that it needs answer, and always stops all."""

import fcntl
import json
import os
import shutil
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

from kombu.connection import Connection
from kombu.exceptions import OperationalError

from . import database
from .install.odoo_source import find_odoo
from .layout import BUILD, ENVIRONMENT_FILE, LOGS
from .settings import (
    Secrets,
    load_secrets,
    own_broker,
    own_database,
    own_mail_server,
    stack_environment,
    write_private,
)
from .steps import StackError, step
from .supervision import Supervisor

RELAY_ALIVE = BUILD / "relay.alive"  # the relay touches it as soon as it serves
RPC_SERVICES = ("compute", "mail", "notify")


class RunningStack(NamedTuple):
    """The environment with the addresses of the stack's programs, and their supervisor."""

    environment: dict[str, str]
    supervisor: Supervisor


@contextmanager
def running_stack() -> Iterator[RunningStack]:
    """Start the stack, and stop it at the end of the block.

    Raises StackError if a step fails or this checkout's stack runs already.
    """
    BUILD.mkdir(parents=True, exist_ok=True)
    with checkout_lock() as lock_descriptor:
        shutil.rmtree(LOGS, ignore_errors=True)  # an earlier run's
        LOGS.mkdir(mode=0o700)
        with step("Odoo 19, PostgreSQL and RabbitMQ (the first time: downloads, 1 minute)"):
            environment = stack_environment(find_odoo())
        supervisor = Supervisor(environment, lock_descriptor)
        try:
            _bring_up(supervisor, environment, load_secrets())
            write_private(ENVIRONMENT_FILE, json.dumps(environment))
            yield RunningStack(environment, supervisor)
        finally:
            ENVIRONMENT_FILE.unlink(missing_ok=True)
            supervisor.shut_down()


@contextmanager
def checkout_lock() -> Iterator[int]:
    """Lock this checkout for one stack; the lock file contains the process id of its holder."""
    descriptor = os.open(BUILD / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise StackError("this checkout's stack runs already; `make down` stops it.") from None
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, str(os.getpid()).encode(), 0)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _bring_up(supervisor: Supervisor, environment: Mapping[str, str], known: Secrets) -> None:
    if own_broker(environment):
        supervisor.control.start("epmd", "rabbitmq")  # it starts while the database does
    if own_database(environment):
        with step("PostgreSQL"):
            _start_postgres(supervisor, environment, known)
    with step("Odoo's database with the addon (the first time: 1 minute)"):
        database.install_addons(environment)
    if own_broker(environment):
        with step("RabbitMQ"):
            supervisor.start("rabbitmq", lambda: broker_answers(environment), seconds=90)
    with step("the Nameko services"):
        if own_mail_server(environment):
            supervisor.control.start("mail_catcher")
        supervisor.control.start("api")
        supervisor.start("services", lambda: services_serve(environment), seconds=60)
    with step("Odoo"):
        supervisor.start("odoo", lambda: odoo_answers(environment), seconds=120)
    with step("the relay of the jobs"):
        RELAY_ALIVE.unlink(missing_ok=True)
        supervisor.start("relay", RELAY_ALIVE.exists, seconds=60)


def _start_postgres(supervisor: Supervisor, environment: Mapping[str, str], known: Secrets) -> None:
    database.initialize_cluster(environment, known)
    answers = lambda: database.accepts_connections(environment, known)  # noqa: E731
    supervisor.start("postgres", answers, seconds=60)
    database.create_role(environment, known)


def broker_answers(environment: Mapping[str, str]) -> bool:
    """Return whether RabbitMQ takes connections."""
    try:
        with _broker(environment):
            return True
    except (OSError, OperationalError):
        return False


def services_serve(environment: Mapping[str, str]) -> bool:
    """Return whether services that have just been started consume requests.

    RabbitMQ logs an error for each passive declaration of a queue that does not exist yet, so it
    is asked only after the services have logged that they are ready.
    """
    log = LOGS / "services.log"
    told = log.read_text(errors="replace") if log.exists() else ""
    if not all(f'"{service} is ready"' in told for service in RPC_SERVICES):
        return False
    return services_answer(environment)


def services_answer(environment: Mapping[str, str]) -> bool:
    """Return whether the services of the demonstration consume requests.

    Raises StackError if the broker cannot be reached.
    """
    try:
        with _broker(environment) as connection:
            return all(_consumers(connection, f"rpc-{name}") for name in RPC_SERVICES)
    except (OSError, OperationalError) as error:
        raise StackError(f"the broker named in AMQP_URI does not answer: {error}") from error


def odoo_answers(environment: Mapping[str, str]) -> bool:
    """Return whether Odoo serves and reaches its database."""
    try:
        address = f"{environment['ODOO_URL']}/web/health?db_server_status=1"
        with urllib.request.urlopen(address, timeout=30) as answer:  # noqa: S310  our own address
            return answer.status == 200  # noqa: PLR2004
    except (urllib.error.URLError, OSError):
        return False


def _broker(environment: Mapping[str, str]) -> Connection:
    connection = Connection(environment["AMQP_URI"], connect_timeout=5)
    connection.connect()
    return connection


def _consumers(connection: Connection, queue: str) -> int:
    """Return the number of consumers of a queue, 0 if it does not exist."""
    try:
        with connection.channel() as channel:
            return int(channel.queue_declare(queue, passive=True).consumer_count)
    except connection.channel_errors:
        return 0
