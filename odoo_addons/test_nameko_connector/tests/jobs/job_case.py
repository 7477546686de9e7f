"""Jobs in any state, without a broker."""

from odoo.addons.nameko_compute.tests.common import ComputationCase
from odoo.addons.nameko_connector.job_store.dispatch import mark_sent
from odoo.addons.nameko_connector.tests.common import MANAGER, USER

STOCK = {
    "exc_type": "LookupError",
    "value": "no stock for product 7",
    "instance": "host-a:4711",
    "traceback": 'File "pricing.py", line 7, in quote',
}


class JobCase(ComputationCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.user = cls.new_user("attempts_user", USER)
        cls.manager = cls.new_user("attempts_manager", MANAGER)

    def setUp(self):
        super().setUp()
        self.record = self.env["nameko.compute"].with_user(self.user).create(
            {"name": "Floor", "value": 1, "other": 2}
        )  # fmt: skip
        self.rpc = self.record.env["nameko.rpc"]

    def job(self, **options):
        return self.rpc.delay("pricing", "quote", 1, currency="EUR", **options)

    def sent(self, job):
        mark_sent(self.env.cr, job.ids)
        job.invalidate_recordset()
        return job

    def answer(self, *events):
        self.env["nameko.job"].apply_replies(events)
        self.env.invalidate_all()

    def attempts(self, job):
        return [(each.number, each.error_type) for each in job.attempt_ids.sorted("number")]
