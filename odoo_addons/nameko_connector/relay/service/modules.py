"""Import the Python code of addons once, for all children: that takes longer than all the rest."""

from __future__ import annotations

import gc
import logging
from collections.abc import Iterable

from odoo.modules.module import Manifest, load_openerp_module

_logger = logging.getLogger(__name__)


class Modules:
    """The addons whose code this process has imported, as Odoo's own processes do."""

    def __init__(self) -> None:
        self._tried: set[str] = set()

    def load(self, names: Iterable[str]) -> None:
        """Import these addons and those they depend on; log errors, which the relays meet, too."""
        new = set(names) - self._tried
        for name in sorted(new):
            self._load(name)
        if new:
            gc.collect()
            gc.freeze()  # so that children share these pages

    def _load(self, name: str) -> None:
        if name in self._tried:
            return
        self._tried.add(name)
        manifest = Manifest.for_addon(name)
        for dependency in manifest["depends"] if manifest else ():
            self._load(dependency)
        try:
            load_openerp_module(name)
        except Exception as error:  # noqa: BLE001  whatever the addon raises
            _logger.warning("The addon %s cannot be imported: %s", name, error)
