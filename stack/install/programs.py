"""Finds RabbitMQ and PostgreSQL on the machine, or else unpacks Debian's packages of them."""

from dataclasses import dataclass
from pathlib import Path

from .debian import PackageSet, unpack

RABBITMQ = PackageSet("rabbitmq", ("rabbitmq-server",), with_dependencies=True)
POSTGRES = PackageSet("postgres", ("postgresql",), with_dependencies=True)
SLASH = Path("/")


@dataclass(frozen=True)
class Programs:
    """A folder of programs, and the libraries that the machine lacks for them."""

    folder: Path
    libraries: str = ""
    other_folders: str = ""


def rabbitmq() -> Programs:
    """Find or fetch RabbitMQ 3.10 or later with its Erlang."""
    installed = SLASH / "usr/lib/rabbitmq/bin"
    if (installed / "rabbitmq-server").exists():
        return Programs(installed)
    root = unpack(RABBITMQ)
    erlang = root / "usr/lib/erlang"
    _relocate_erlang(erlang)
    return Programs(root / "usr/lib/rabbitmq/bin", RABBITMQ.libraries, str(erlang / "bin"))


def postgres() -> Programs:
    """Find or fetch the newest PostgreSQL."""
    installed = _newest_postgres(SLASH)
    if installed:
        return Programs(installed)
    root = unpack(POSTGRES)
    folder = _newest_postgres(root)
    assert folder, f"no PostgreSQL below {root}"  # noqa: S101  Debian's package always holds one
    return Programs(folder, POSTGRES.libraries)


def _newest_postgres(root: Path) -> Path | None:
    folders = [path.parent for path in root.glob("usr/lib/postgresql/*/bin/postgres")]
    return max(folders, key=lambda folder: int(folder.parent.name), default=None)


def _relocate_erlang(erlang: Path) -> None:
    """Write Erlang's folder into its start scripts, as its own `Install` does."""
    for script in (erlang / "bin/erl", *erlang.glob("erts-*/bin/erl")):
        text = script.read_text()
        relocated = text.replace("ROOTDIR=/usr/lib/erlang\n", f"ROOTDIR={erlang}\n")
        if relocated != text:
            script.write_text(relocated)
