"""One AMQP connection: opened, kept within a deadline, read whatever arrives, closed.

The other three packages of `broker/` use this one; nothing here knows what a call, a job or a beat
is.

1. `config` holds where the broker is and the limits: read once, checked once.
2. `transport` opens a connection of py-amqp that keeps one `deadline` in everything that it reads
   and writes: connecting, TLS, login, each frame. `connecting` finds the host's addresses, and says
   in plain English why a connection cannot be opened, or was lost (`BROKER_LOST`).
3. `frames` reads what the broker delivers: a property that is no UTF-8 is replaced, a broken header
   table stays unread, and the body of a message that is too large is dropped while it arrives.
4. `encoding` reads and writes Nameko's JSON; `reading` limits its depth.
5. `link` is a connection that lives long, with heartbeats: the relay's.

When a step fails: the code above gets one of `errors`, or one of `BROKER_LOST`; in both cases it
discards the connection. No connection is repaired.
"""
