"""Unpacks Debian packages into the cache, without installing them or starting their services.

The packages come from the mirror in the machine's apt sources. The lists and archives of apt are
separate ones in the cache, so no root rights are needed and the machine's apt does not change.
"""

import fcntl
import os
import platform
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..layout import CACHE
from ..steps import StackError, run_logged

AREA = CACHE / "debian"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


@dataclass(frozen=True)
class PackageSet:
    """Packages that are unpacked together into one folder of the cache."""

    name: str
    packages: Sequence[str]
    with_dependencies: bool = False
    unstable_packages: Sequence[str] = ()

    @property
    def root(self) -> Path:
        """The folder that takes the place of `/` for the unpacked packages."""
        return AREA / f"{self.name}-{release()}"

    @property
    def libraries(self) -> str:
        """An `LD_LIBRARY_PATH` for the programs of this set."""
        return ":".join(str(path) for path in sorted(self.root.glob("usr/lib/*-linux-gnu")))


def release() -> str:
    """Return the name of the machine's Debian release, for example `bookworm`.

    Raises StackError on a machine without Debian.
    """
    try:
        system = platform.freedesktop_os_release()
    except OSError:
        system = {}
    if "VERSION_CODENAME" not in system or not shutil.which("apt-get"):
        raise StackError(
            "this machine is not a Debian; install RabbitMQ, PostgreSQL and Odoo 19 yourself and "
            "name them in AMQP_URI, PGHOST and ODOO_SOURCE."
        )
    return system["VERSION_CODENAME"]


def unpack(package_set: PackageSet) -> Path:
    """Unpack a set of packages, once for all checkouts; return its root."""
    complete = package_set.root / ".complete"
    with cache_lock(package_set.name):
        if not complete.exists():
            shutil.rmtree(package_set.root, ignore_errors=True)
            for archive in _download(package_set):
                run_logged(["dpkg-deb", "-x", archive, package_set.root], "dpkg-deb.log")
            complete.touch()
    return package_set.root


@contextmanager
def cache_lock(name: str) -> Iterator[None]:
    """Let one process at a time fill a part of the cache."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _download(package_set: PackageSet) -> list[Path]:
    apt = _Apt("release", [])
    apt.update()
    archives = apt.closure(package_set) if package_set.with_dependencies else apt.fetch(package_set)
    if package_set.unstable_packages:
        sid = _Apt("sid", ["-o", f"Dir::Etc::sourcelist={_sid_sources(apt.mirror())}"])
        sid.update()
        archives += sid.fetch_names(package_set.name + "-sid", package_set.unstable_packages)
    if not archives:
        raise StackError(
            f"Debian has no packages {' '.join(package_set.packages)} for this machine."
        )
    return archives


def _sid_sources(mirror: str) -> Path:
    signed = f"[signed-by={KEYRING}] " if KEYRING.exists() else ""
    path = AREA / "sid.list"
    path.write_text(f"deb {signed}{mirror} sid main\n")
    return path


class _Apt:
    """The machine's apt with lists and archives of its own."""

    def __init__(self, area: str, options: list[str]) -> None:
        self.area = AREA / "apt" / area
        for folder in ("lists/partial", "cache/archives/partial", "parts"):
            (self.area / folder).mkdir(parents=True, exist_ok=True)
        self.options = [
            "-o", f"Dir::State::Lists={self.area}/lists",
            "-o", f"Dir::Cache={self.area}/cache",
            "-o", "APT::Sandbox::User=root",
            "-o", "Debug::NoLocking=true",
            "-y", "-q", "--no-install-recommends",
            *options,
        ]  # fmt: skip
        if options:
            self.options += ["-o", f"Dir::Etc::sourceparts={self.area}/parts"]

    def update(self) -> None:
        run_logged(["apt-get", *self.options, "update"], "apt-update.log")

    def mirror(self) -> str:
        """Return the address from which the machine takes its own release."""
        form = ["--format", "$(REPO_URI) $(RELEASE)", "Created-By: Packages"]
        listing = subprocess.run(
            ["apt-get", *self.options, "indextargets", *form],
            capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip
        for line in listing.splitlines():
            address, _, suite = line.partition(" ")
            if suite in (release(), "stable", "oldstable"):
                return address
        raise StackError(
            "the machine's apt sources name no Debian mirror; name Odoo in ODOO_SOURCE."
        )

    def closure(self, package_set: PackageSet) -> list[Path]:
        """Download the packages and those of their dependencies that the machine lacks."""
        archives = self.area / package_set.name
        (archives / "partial").mkdir(parents=True, exist_ok=True)
        command = ["-o", f"Dir::Cache::archives={archives}", "--download-only", "install"]
        run_logged(["apt-get", *self.options, *command, *package_set.packages], "apt-download.log")
        return sorted(archives.glob("*.deb"))

    def fetch(self, package_set: PackageSet) -> list[Path]:
        return self.fetch_names(package_set.name, package_set.packages)

    def fetch_names(self, folder: str, names: Sequence[str]) -> list[Path]:
        """Download these packages alone, without what they depend on."""
        archives = self.area / folder
        archives.mkdir(parents=True, exist_ok=True)
        command = ["env", "-C", str(archives), "apt-get", *self.options, "download", *names]
        run_logged(command, "apt-download.log")
        return sorted(archives.glob("*.deb"))


def install_for_the_machine(*packages: str) -> None:
    """Install packages with the machine's apt, as root or with sudo."""
    sudo = [] if os.geteuid() == 0 else ["sudo"]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for arguments in (
        ["update", "-q"],
        ["install", "-y", "-q", "--no-install-recommends", *packages],
    ):
        run_logged([*sudo, "apt-get", *arguments], "apt-install.log", environment=environment)
