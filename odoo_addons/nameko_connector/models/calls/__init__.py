"""Calls that wait for the answer, and the list of services that may be called."""

from . import nameko_rpc
from . import nameko_rpc_allowed
