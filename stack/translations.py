"""Updates the addons' translation files from the texts of the addons: `make translations`."""

import os
import sys
from pathlib import Path

import polib

from .layout import CHECKOUT
from .steps import run_logged, say

ADDONS = ("nameko_connector", "nameko_compute")


def template_of(addon: str) -> Path:
    """Return the path of an addon's template; its .po files are in the same folder."""
    return CHECKOUT / "odoo_addons" / addon / "i18n" / f"{addon}.pot"


def export_template(addon: str, path: Path) -> None:
    """Write the texts of an installed addon into a .pot file."""
    odoo = [os.environ["STACK_ODOO"], "i18n", "export", "-d", os.environ["ODOO_DATABASE"]]
    run_logged([*odoo, "-l", "pot", "-o", str(path), "--", addon], "i18n.log")


def merge(path: Path, template: Path) -> list[str]:
    """Merge the template into a .po file; return the texts that lack a translation."""
    translations = polib.pofile(str(path))
    translations.merge(polib.pofile(str(template)))
    for obsolete in translations.obsolete_entries():
        translations.remove(obsolete)
    translations.save()
    return [entry.msgid for entry in translations if not entry.translated()]


def main() -> int:
    """Export the templates and merge every language; return 1 if a translation is missing."""
    missing = [line for addon in ADDONS for line in update(addon)]
    for line in missing:
        say(f"not translated, {line}")
    return 1 if missing else 0


def update(addon: str) -> list[str]:
    """Export the template of an addon and merge its languages; return what is not translated."""
    template = template_of(addon)
    export_template(addon, template)
    return [
        f"{addon}/{path.name}: {text}"
        for path in sorted(template.parent.glob("*.po"))
        for text in merge(path, template)
    ]


if __name__ == "__main__":
    sys.exit(main())
