"""One AMQP connection: open it, keep each operation within a deadline, read messages, close it.

The other three packages of `broker/` use this one. It does not depend on calls, jobs or heartbeats
of services.

1. `config` holds the broker's address and the limits. It checks them once.
2. `transport` opens a connection of py-amqp that applies one `deadline` to everything that it reads
   and writes: connecting, TLS, login, each frame. `connecting` resolves the host name, and explains
   in plain English why a connection cannot be opened or was lost (`BROKER_LOST`).
3. `frames` reads what the broker delivers: invalid UTF-8 in a property is replaced, the header
   table is not parsed, and the body of a message that is too large is dropped while it arrives.
4. `encoding` reads and writes Nameko's JSON; `reading` limits its size and depth.
5. `link` is the long-lived connection of the relay, with AMQP heartbeats.

When a step fails: the caller gets one of `errors` or one of `BROKER_LOST`, and discards the
connection in both cases. A connection is never repaired.
"""
