"""How Odoo, PostgreSQL, RabbitMQ and a browser get onto this machine, or are found there."""
