"""What the tests of server actions share: actions that call `pricing.quote` for partners."""

from ...broker.amqp import errors
from ...broker.jobs.reply import Reply
from ...testing import answered_calls
from ..common import ConnectorCase

CONTACTS = ("base.group_user", "base.group_partner_manager")


def remote_error(message="no", **values):
    error = {"exc_type": "NoPrice", "exc_path": "shop.NoPrice", "exc_args": [], "value": message}
    return errors.RemoteError(message, service="pricing", method="quote", error=error, **values)


class ActionCase(ConnectorCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.partner_model = cls.env["ir.model"]._get("res.partner")
        cls.partners = cls.env["res.partner"].create(
            [{"name": name, "ref": name.lower()} for name in ("Ada", "Bea", "Cleo")]
        )
        cls.partner = cls.partners[0]

    def field(self, name, model="res.partner"):
        return self.env["ir.model.fields"]._get(model, name)

    def action_values(self, parameters=None, result="comment", **values):
        parameters = {"name": "record.name"} if parameters is None else parameters
        return {
            "model_id": self.partner_model.id,
            "name": "Quote",
            "state": "nameko",
            "nameko_service": "pricing",
            "nameko_method": "quote",
            "nameko_parameter_ids": [
                (0, 0, {"name": name, "value": value}) for name, value in parameters.items()
            ],
            "nameko_result_field_id": self.field(result).id,
            **values,
        }

    def new_action(self, *args, env=None, **values):
        values = self.action_values(*args, **values)
        return (env or self.env)["ir.actions.server"].create(values)

    def new_method(self, name="quote", **values):
        """Put a method of the service `pricing` into the catalogue."""
        services = self.env["nameko.service"]
        service = services.search([("name", "=", "pricing")]) or services.create(
            {"name": "pricing"}
        )
        return self.env["nameko.method"].create(
            {"service": service.name, "service_id": service.id, "name": name, **values}
        )

    def run_on(self, action, records, user=None):
        """Run it as the web client does."""
        context = {
            "active_model": records._name,
            "active_id": records[:1].id,
            "active_ids": records.ids,
        }
        return action.with_user(user or self.env.user).with_context(**context).run()

    def run_answered(self, action, records, answer, user=None):
        """Run it with this answer; return what it returned and the requests."""
        with answered_calls({"pricing.quote": answer}) as requests:
            returned = self.run_on(action, records, user)
        return returned, requests

    def jobs_of(self, action):
        jobs = self.env["nameko.job"].sudo()
        return jobs.search([("server_action_id", "=", action.id)], order="id")

    def reply(self, job, text, result):
        self.env.flush_all()
        self.env["nameko.job"].apply_replies([Reply(job.uuid, text, result)])
        self.env.invalidate_all()

    def reply_error(self, job, message):
        error = {"exc_type": "NoPrice", "exc_path": "NoPrice", "exc_args": [], "value": message}
        self.env.flush_all()
        self.env.cr.execute("UPDATE nameko_job SET state = 'sent' WHERE id = %s", [job.id])
        self.env["nameko.job"].apply_replies([Reply(job.uuid, error=error)])
        self.env.invalidate_all()
