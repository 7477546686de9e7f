"""Loads Odoo's modules before its programs are forked, but no data that could become stale."""

from odoo import sql_db
from odoo.modules.registry import Registry
from odoo.service import server
from odoo.tools import config

from tests.jobs.world import DATABASE, odoo_options

config.parse_config(odoo_options(), setup_logging=False)
server.load_server_wide_modules()
Registry(DATABASE)
Registry.delete_all()
sql_db.close_all()

from odoo.addons.nameko_connector.relay import relay  # noqa: E402, F401
