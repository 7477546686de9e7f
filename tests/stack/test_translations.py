"""The addon's texts and their Spanish."""

import polib

from stack import translations


def texts(path) -> set[str]:
    return {entry.msgid for entry in polib.pofile(str(path))}


def test_template_has_every_text(tmp_path):
    current = tmp_path / "current.pot"
    translations.export_template(current)
    assert texts(current) == texts(translations.TEMPLATE), "run `make translations`"


def test_spanish_is_complete():
    spanish = polib.pofile(str(translations.FOLDER / "es.po"))
    assert [entry.msgid for entry in spanish if not entry.translated()] == []
    assert texts(translations.FOLDER / "es.po") == texts(translations.TEMPLATE)


def test_spanish_keeps_the_placeholders():
    spanish = polib.pofile(str(translations.FOLDER / "es.po"))
    for entry in spanish:
        for placeholder in ("%(service)s", "%(method)s", "%(seconds)s", "%s", "%(done)s"):
            assert (placeholder in entry.msgid) == (placeholder in entry.msgstr), entry.msgid
