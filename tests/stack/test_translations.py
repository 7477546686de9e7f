"""The addons' texts and their Spanish."""

import polib
import pytest

from stack import translations

PLACEHOLDERS = ("%(service)s", "%(method)s", "%(seconds)s", "%s", "%(done)s")


def texts(path) -> set[str]:
    return {entry.msgid for entry in polib.pofile(str(path))}


@pytest.fixture(params=translations.ADDONS)
def addon(request) -> str:
    return request.param


@pytest.fixture
def template(addon):
    return translations.template_of(addon)


@pytest.fixture
def spanish(template) -> polib.POFile:
    return polib.pofile(str(template.with_name("es.po")))


def test_template_has_every_text(addon, template, tmp_path):
    current = tmp_path / "current.pot"
    translations.export_template(addon, current)
    assert texts(current) == texts(template), "run `make translations`"


def test_spanish_is_complete(template, spanish):
    assert [entry.msgid for entry in spanish if not entry.translated()] == []
    assert {entry.msgid for entry in spanish} == texts(template)


def test_spanish_keeps_the_placeholders(spanish):
    for entry in spanish:
        for placeholder in PLACEHOLDERS:
            assert (placeholder in entry.msgid) == (placeholder in entry.msgstr), entry.msgid
