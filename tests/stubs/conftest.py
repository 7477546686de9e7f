"""Tests of the addon's package `stubs`, which are quick and need no Odoo and no stack."""

import sys
from types import ModuleType

from stack.layout import CHECKOUT

# The package of the addon without what its `__init__` imports, which needs Odoo.
addon = ModuleType("nameko_connector")
addon.__path__ = [str(CHECKOUT / "odoo_addons" / "nameko_connector")]
sys.modules["nameko_connector"] = addon
