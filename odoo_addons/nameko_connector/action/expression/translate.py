"""What is wrong with an expression: translated where somebody reads it."""

from odoo.tools.translate import LazyTranslate

_lt = LazyTranslate(__name__, default_lang="en_US")
