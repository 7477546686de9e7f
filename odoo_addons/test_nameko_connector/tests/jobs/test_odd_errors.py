"""What a service says of its errors reaches the user, whatever is in it."""

from odoo.addons.nameko_compute.tests.common import ComputationCase
from odoo.addons.nameko_connector.broker.amqp import errors
from odoo.addons.nameko_connector.exceptions import RemoteError
from odoo.addons.nameko_connector.testing import answered_calls
from odoo.tests import tagged


def remote(**error):
    names = {"service": "compute", "method": "compute"}
    return errors.RemoteError("compute.compute failed", **names, error=error)


@tagged("post_install", "-at_install")
class TestOddErrors(ComputationCase):
    def test_error_that_no_field_can_hold_is_written_with_marks(self):
        records = self.computation(1, 2, is_mailed=True) + self.computation(3, 4, is_mailed=True)
        error = remote(exc_type="Odd", value="nul \0, surrogate \ud800")
        with answered_calls({"compute.compute": error}):
            records.action_compute()
        records.flush_recordset()
        self.assertEqual(records.mapped("state"), ["failed", "failed"])
        for record in records:
            self.assertIn("nul \ufffd, surrogate \ufffd", record.error)

    def test_request_that_was_given_up_says_so(self):
        text = "The request compute.compute is given up: the process that ran it ended"
        given_up = remote(exc_type="RequestGivenUp", value=text, exc_args=[text])
        with (
            answered_calls({"compute.compute": given_up}),
            self.assertRaisesRegex(RemoteError, f"compute.compute answered with an error: {text}"),
        ):
            self.computation(1, 2).action_compute()
