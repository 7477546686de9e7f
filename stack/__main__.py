"""The commands behind the Makefile; `python -m stack --help` lists them."""

import argparse
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType

from . import database
from .demo import LOGIN, PASSWORD, press_the_button
from .layout import BUILD, CHECKOUT, ENVIRONMENT_FILE, LOGS
from .settings import own_broker, own_mail_server
from .stack import RunningStack, odoo_answers, running_stack, services_answer
from .steps import StackError, say, step
from .supervision import Control, wait_until


def demo() -> int:
    """Start the stack, show the demonstration, and stop the stack."""
    with running_stack() as stack:
        press_the_button(stack.environment)
    return 0


def run() -> int:
    """Start the stack, show the demonstration, and serve until Ctrl-C."""
    with running_stack() as stack:
        press_the_button(stack.environment)
        _print_addresses(stack.environment)
        try:
            _print_mails(stack)
            stack.supervisor.wait()
        except SystemExit:  # what a signal raises: here it is the expected end
            say("stopping ...")
            return 0
    raise StackError(f"supervisord was ended by somebody else. Its log: {LOGS}/supervisord.log")


def execute(command: Sequence[str]) -> int:
    """Run a command while the stack runs, with the stack's addresses in its environment."""
    with running_stack() as stack:
        child = ["setpriv", "--pdeathsig", "KILL", "--", *command]
        return subprocess.run(child, env=stack.environment, check=False, cwd=CHECKOUT).returncode


def running_environment() -> dict[str, str]:
    """Return the environment of the stack that `make run` serves.

    Raises StackError if none runs.
    """
    if not ENVIRONMENT_FILE.exists():
        raise StackError(
            "no stack runs in this checkout; `make run` in another terminal starts one."
        )
    environment: dict[str, str] = json.loads(ENVIRONMENT_FILE.read_text())
    return environment


def restart() -> int:
    """Restart the services of the running stack, with the current code."""
    environment = running_environment()
    control = Control(environment["STACK_SUPERVISOR_URL"])
    with step("the Nameko services"):
        control.stop_together("services", "api")
        control.start("services", "api")
        wait_until(lambda: services_answer(environment), f"the services; see {LOGS}/services.log")
    return 0


def update() -> int:
    """Update the addons in the running stack's database, and restart Odoo and the relay."""
    environment = running_environment()
    control = Control(environment["STACK_SUPERVISOR_URL"])
    with step("the addons"):
        database.install_addons(environment)
    with step("Odoo and the relay"):
        control.stop_together("odoo", "relay")
        control.start("odoo", "relay")
        wait_until(lambda: odoo_answers(environment), f"Odoo; see {LOGS}/odoo.log")
    return 0


def shell() -> int:
    """Open the nameko shell on the running stack."""
    environment = running_environment()
    command = [sys.executable, "-m", "nameko", "shell", "--config", "services/config.yaml"]
    os.chdir(CHECKOUT)
    os.execve(command[0], command, environment)  # noqa: S606  nothing of it comes from outside


def service(file: str) -> int:
    """Run the developer's own service file, from any folder, on the running stack."""
    environment = running_environment()
    path = Path(file).expanduser().resolve()
    if path.suffix != ".py" or not path.exists():
        raise StackError(f"{file} is no Python file: name the one that holds your service.")
    own = {"PYTHONPATH": str(CHECKOUT), "IDEMPOTENCY_URL": f"sqlite:///{BUILD}/idempotency.sqlite"}
    configuration = str(CHECKOUT / "services" / "config.yaml")
    command = [sys.executable, "-m", "nameko", "run", "--config", configuration, path.stem]
    os.chdir(path.parent)
    os.execve(command[0], command, environment | own)  # noqa: S606  what the developer asks for


def down() -> int:
    """Stop this checkout's stack, if one runs, and wait until it is gone."""
    lock = BUILD / "lock"
    if lock.exists() and _is_held(lock):
        os.kill(int(lock.read_text()), signal.SIGTERM)
        subprocess.run(["flock", lock, "true"], check=True)
        say("stopped")
    else:
        say("nothing runs")
    return 0


def _is_held(lock: os.PathLike[str]) -> bool:
    return bool(subprocess.run(["flock", "--nonblock", lock, "true"], check=False).returncode)


def _print_addresses(environment: Mapping[str, str]) -> None:
    say("")
    say(f"Odoo      {environment['ODOO_URL']}  (login {LOGIN}, password {PASSWORD})")
    if own_broker(environment):
        login, _, address = (
            environment["RABBITMQ_MANAGEMENT_URI"].removeprefix("http://").partition("@")
        )
        user, _, password = login.partition(":")
        say(f"RabbitMQ  http://{address}  (login {user}, password {password})")
    say(f"AMQP      {environment['AMQP_URI']}")
    api = f"http://127.0.0.1:{environment['STACK_API_PORT']}/apidocs"
    say(f"REST API  {api}  (X-API-Key {environment['STACK_API_KEY']})")
    say(f"Metrics   http://127.0.0.1:{environment['STACK_METRICS_PORT']}/metrics")
    say(f"Logs      {LOGS}/")
    say("`make shell` in another terminal opens the nameko shell. Ctrl-C stops everything.")


def _print_mails(stack: RunningStack) -> None:
    """Print the mails that the services send, as they arrive."""
    if own_mail_server(stack.environment):
        tail = ["tail", "--lines=+1", "--follow=name", "--retry", f"{LOGS}/mail_catcher.log"]
        subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "--", *tail], stderr=subprocess.DEVNULL)


def _exit_on(signal_number: int, _frame: FrameType | None) -> None:
    """Exit, so that everything stops in order, and ignore further signals."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    sys.exit(128 + signal_number)


def main() -> int:
    """Parse the command line and run its command."""
    parser = argparse.ArgumentParser(prog="python -m stack", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    plain = {each.__name__: each for each in (demo, run, shell, restart, update, down)}
    for name in plain:
        commands.add_parser(name)
    commands.add_parser("exec").add_argument("arguments", nargs=argparse.REMAINDER)
    commands.add_parser("service").add_argument("file")
    options = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _exit_on)
    try:
        if options.command == "exec":
            return execute([word for word in options.arguments if word != "--"])
        if options.command == "service":
            return service(options.file)
        return plain[options.command]()
    except StackError as error:
        sys.stderr.write(f"\nFailed: {error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
