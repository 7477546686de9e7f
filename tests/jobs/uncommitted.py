"""An Odoo process that creates jobs and aborts before it commits them."""

import os
import signal
import sys

from odoo import api
from odoo.modules.registry import Registry
from odoo.tools import config

from tests.jobs.world import odoo_options

if __name__ == "__main__":
    config.parse_config(odoo_options(sys.argv[1]))
    with Registry(sys.argv[1]).cursor() as cr:
        api.Environment(cr, 1, {})["nameko.job.probe"].make(5)
        cr.flush()
        print("created", flush=True)  # noqa: T201  the test waits for this line
        signal.sigwait({signal.SIGTERM})
        os.abort()
