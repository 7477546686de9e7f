"""Loads modules before services are forked: Nameko, this project's container and its imports.

The services' own modules are loaded in the fork. Eventlet creates its hub at the first wait, so
each fork has its own.
"""

# ruff: noqa: E402, F401
import eventlet
import nameko.cli.main

eventlet.monkey_patch()  # as `nameko run` does before it imports anything else

import nameko.cli.run
import psycopg2
import sqlalchemy.dialects.postgresql
import sqlalchemy.dialects.sqlite

import services.container
import services.entrypoints
import services.idempotency.provider
