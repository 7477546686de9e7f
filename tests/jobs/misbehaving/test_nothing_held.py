"""While jobs wait for a slow service, Odoo's workers and its database are free.

A worker for scheduled actions that works has a transaction open, too.
"""

from tests.jobs.world import ADDONS, World
from tests.odoo_process import running_odoo
from tests.waiting import wait_until

JOBS = 200
PAGES = 20  # asked for one after the other while the jobs wait
OPEN_TRANSACTIONS = """
    SELECT count(*) FROM pg_stat_activity
     WHERE datname = current_database() AND pid <> pg_backend_pid() AND xact_start IS NOT NULL
"""


def test_no_worker_no_cron_and_no_transaction_waits(world: World):
    world.start_relay()
    world.start_rogue()
    with running_odoo(world.database, workers=1, crons=1, addons=[ADDONS]) as odoo:
        client = odoo.web_client()
        world.make(JOBS, method="never", service="rogue")
        wait_until(lambda: world.states() == {"sent": JOBS})
        for _ in range(PAGES):
            client.call("nameko.job", "search_count", [("state", "=", "sent")])
            wait_until(lambda: world.sql(OPEN_TRANSACTIONS) == [(0,)], seconds=2)
        assert world.states() == {"sent": JOBS}
