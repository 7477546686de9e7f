"""Mark error messages of expressions, which are translated when they are shown."""

from odoo.tools.translate import LazyTranslate

_lt = LazyTranslate(__name__, default_lang="en_US")
