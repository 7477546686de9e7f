"""Finds Odoo, PostgreSQL, RabbitMQ and a browser on this machine, or downloads them."""
