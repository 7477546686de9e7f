"""Where the stack finds Odoo."""

import tarfile
from pathlib import Path

import pytest

from stack.install import odoo_source
from stack.steps import StackError


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    """A cache of the test's own."""
    folder = tmp_path / "cache"
    monkeypatch.setattr(odoo_source, "CACHE", folder)
    monkeypatch.setattr("stack.install.debian.CACHE", folder)
    return folder


@pytest.fixture
def archive(tmp_path) -> Path:
    """A source archive as the 19.0 branch's: one folder that holds `odoo`."""
    top = tmp_path / "odoo-19.0"
    (top / "odoo").mkdir(parents=True)
    (top / "odoo" / "release.py").write_text("version_info = (19, 0)\n")
    path = tmp_path / "19.0.tar.gz"
    with tarfile.open(path, "w:gz") as file:
        file.add(top, "odoo-19.0")
    return path


def test_a_folder_that_the_user_names_comes_first(tmp_path, monkeypatch):
    (tmp_path / "odoo").mkdir()
    (tmp_path / "odoo" / "release.py").touch()
    monkeypatch.setenv("ODOO_SOURCE", str(tmp_path))
    assert odoo_source._named_by_the_user() == tmp_path


def test_a_folder_without_odoo_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("ODOO_SOURCE", str(tmp_path))
    with pytest.raises(StackError, match="name a folder that holds Odoo"):
        odoo_source._named_by_the_user()


def test_source_archive_where_debian_has_no_package(cache, archive, monkeypatch):
    monkeypatch.setattr("stack.install.debian.platform.freedesktop_os_release", dict)
    monkeypatch.setenv("ODOO_ARCHIVE", archive.as_uri())
    root = odoo_source._packaged_or_archived()
    assert (root / "odoo" / "release.py").exists()
    archive.unlink()
    assert odoo_source._packaged_or_archived() == root  # kept, not downloaded again


def test_archive_that_cannot_be_had_says_what_to_do(cache, tmp_path, monkeypatch):
    monkeypatch.setattr("stack.install.debian.platform.freedesktop_os_release", dict)
    monkeypatch.setenv("ODOO_ARCHIVE", (tmp_path / "nowhere.tar.gz").as_uri())
    with pytest.raises(StackError, match="ODOO_SOURCE"):
        odoo_source._packaged_or_archived()
    assert not (cache / "odoo-19.0").exists()
