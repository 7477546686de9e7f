"""The development stack: PostgreSQL, RabbitMQ, the Nameko services and Odoo from one command."""
