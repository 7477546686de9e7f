"""The services as a REST API: `python -m services.api`."""
