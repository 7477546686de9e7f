"""Keeping the addon's translations in step with its texts: `make translations`."""

import os
import sys
from pathlib import Path

import polib

from .layout import CHECKOUT
from .steps import run_logged, say

FOLDER = CHECKOUT / "odoo_addons" / "nameko_compute" / "i18n"
TEMPLATE = FOLDER / "nameko_compute.pot"


def export_template(path: Path) -> None:
    """Write the texts of the installed addon into a .pot file."""
    odoo = [os.environ["STACK_ODOO"], "i18n", "export", "-d", os.environ["ODOO_DATABASE"]]
    run_logged([*odoo, "-l", "pot", "-o", str(path), "--", "nameko_compute"], "i18n.log")


def merge(path: Path) -> list[str]:
    """Bring a .po file in step with the template; gives the texts that still lack a translation."""
    translations = polib.pofile(str(path))
    translations.merge(polib.pofile(str(TEMPLATE)))
    for obsolete in translations.obsolete_entries():
        translations.remove(obsolete)
    translations.save()
    return [entry.msgid for entry in translations if not entry.translated()]


def main() -> int:
    """Export the template and merge every language; fails while a text lacks its translation."""
    export_template(TEMPLATE)
    missing = [
        f"{path.name}: {text}" for path in sorted(FOLDER.glob("*.po")) for text in merge(path)
    ]
    for line in missing:
        say(f"not translated, {line}")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
