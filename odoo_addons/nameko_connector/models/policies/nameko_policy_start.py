"""The starts of jobs that policies limit, which the relays count."""

from odoo import fields, models


class NamekoPolicyStart(models.Model):
    """The relay writes these, with `job_store.claiming.starts`."""

    _name = "nameko.policy.start"
    _description = "Starts under a Policy"
    _log_access = False

    # Without a foreign key: its lock would have the relay wait for who deletes the policy.
    policy_ref = fields.Integer(
        "ID of the Policy",
        required=True,
        readonly=True,
        index=True,
        help="0 for jobs with limit keys.",
    )
    jobs = fields.Integer(required=True, readonly=True)
    job_ids = fields.Json("IDs of the Jobs", readonly=True, help="While they are published.")
    began = fields.Datetime("First Start", required=True, readonly=True)
    moment = fields.Datetime("Last Start", required=True, readonly=True)
    session = fields.Char(
        readonly=True, help="The session of the relay that publishes them; then empty."
    )
