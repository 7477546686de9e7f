"""What the tests of computations share. The services that they call are the running stack's."""

from odoo.addons.nameko_connector.tests.common import ConnectorCase


class WithComputations:
    def computation(self, value, other, **values):
        return self.env["nameko.compute"].create({"value": value, "other": other, **values})


class ComputationCase(WithComputations, ConnectorCase):
    pass
