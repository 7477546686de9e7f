"""Finds Odoo 19: in the user's folder, on the machine, as Debian's package, or as an archive."""

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import urllib.request
from pathlib import Path

from ..layout import CACHE
from ..steps import StackError, say
from .debian import PackageSet, cache_lock, unpack

SOURCE_ARCHIVE = "https://github.com/odoo/odoo/archive/refs/heads/19.0.tar.gz"
PACKAGE = PackageSet(
    "odoo",
    # Odoo's package links its fonts and scripts to these; Font Awesome 4.7 is in stable only.
    packages=("fonts-font-awesome", "fonts-inconsolata", "fonts-roboto-unhinted"),
    unstable_packages=(
        "odoo-19",
        "fonts-montserrat",
        "fonts-ocr-b",
        "libjs-jquery",
        "libjs-jquery-form",
        "libjs-underscore",
    ),
)
# Odoo starts some of its processes with the file in its own command line: not `python -m odoo`.
ODOO = Path(sys.executable).with_name("odoo")
PYTHON = Path(sys.prefix).resolve() / "bin" / "python"  # resolved: checkouts may share it by links
LAUNCHER = f"#!{PYTHON}\nfrom odoo.cli.command import main\n\nmain()\n"
FIND_ODOO = (
    "import odoo, odoo.release as r, os; "
    "print(os.path.dirname(list(odoo.__path__)[0])) if r.version_info[0] == 19 else None"
)


def find_odoo() -> Path:
    """Return the folder that holds Odoo's `odoo` package and make this environment import it.

    Raises StackError if none of the four places has it.
    """
    root = _named_by_the_user() or _importable() or _packaged_or_archived()
    (Path(sysconfig.get_path("purelib")) / "odoo.pth").write_text(f"{root}\n")
    ODOO.write_text(LAUNCHER)
    ODOO.chmod(0o755)
    return root


def addons_paths(root: Path) -> list[Path]:
    """List the folders of Odoo's own addons below the folder that `find_odoo` returned."""
    return [path for path in (root / "odoo" / "addons", root / "addons") if path.is_dir()]


def _named_by_the_user() -> Path | None:
    named = os.environ.get("ODOO_SOURCE")
    if not named:
        return None
    root = Path(named).expanduser().resolve()
    if not (root / "odoo" / "release.py").exists():
        raise StackError(
            f"ODOO_SOURCE={named} holds no odoo/release.py; name a folder that holds Odoo 19.0."
        )
    return root


def _importable() -> Path | None:
    """Return the folder of the Odoo that the machine's own Python can import, or None."""
    base_python = (
        Path(sys.base_prefix) / "bin" / f"python{sys.version_info[0]}.{sys.version_info[1]}"
    )
    answer = subprocess.run(
        [base_python, "-c", FIND_ODOO], capture_output=True, text=True, check=False, cwd="/"
    ).stdout.strip()
    return Path(answer) if answer else None


def _packaged_or_archived() -> Path:
    try:
        return unpack(PACKAGE) / "usr" / "lib" / "python3" / "dist-packages"
    except StackError as error:
        say(f"    Debian's package cannot be used ({error}): trying the source archive")
        return _source_archive()


def _source_archive() -> Path:
    """Download and unpack the archive of the 19.0 branch, once for all checkouts."""
    root = CACHE / "odoo-19.0"
    address = os.environ.get("ODOO_ARCHIVE", SOURCE_ARCHIVE)
    with cache_lock("odoo-archive"):
        if not root.exists():
            _download_archive(address, root)
    return root


def _download_archive(address: str, root: Path) -> None:
    partial = root.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        with (
            urllib.request.urlopen(address, timeout=60) as stream,  # noqa: S310  the user's or ours
            tarfile.open(fileobj=stream, mode="r|gz") as archive,
        ):
            archive.extractall(partial, filter="data")
    except (OSError, tarfile.TarError) as error:
        raise StackError(
            f"Odoo could not be downloaded from {address} ({error}); "
            "name a folder that holds Odoo 19.0 in ODOO_SOURCE."
        ) from error
    (top,) = partial.iterdir()
    top.rename(root)
    partial.rmdir()
