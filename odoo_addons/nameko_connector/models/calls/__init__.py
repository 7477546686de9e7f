"""Calls that wait for the answer, services as objects, and which services may be called."""

from . import nameko_rpc
from . import nameko_rpc_allowed
from . import nameko_rpc_service
