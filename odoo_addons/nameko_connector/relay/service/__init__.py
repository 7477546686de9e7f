"""The relay service: one process that starts relays for the databases that need one.

It imports Odoo and the code of addons once (`modules`), loads no registry and has no connection to
the broker. In an endless loop (`service.Service`) it does this, without waiting for one database:

1. **List** the databases, each second, over one session to `postgres` (`databases`). A new one is
   watched; a dropped one is let go. A database that somebody drops, renames or copies just now is
   left at once: PostgreSQL waits 5 s for that.
2. **Watch** each database over one session (`watch`): it hears notifications of new jobs, and looks
   every few seconds, in one prepared statement (`needs`), whether a relay has something to do.
3. **Turns** (`turns`): a database that needs a relay gets a child, up to a number of children. If
   more need one, a child that has had its time is asked to stop.
4. **Children** (`children`) are forks that run the relay of one database (`relay.relay`). A child
   that is idle for some time is asked to stop; it drains first.

What happens when something fails:

- A database refuses the connection, is locked or does not answer: it is logged once and tried again
  with growing pauses. Its child, if any, goes on. Sessions are asynchronous, so no other waits.
- A database has no addon, another Odoo version, or modules to install: it is looked at again later.
- A child ends with an error: its database waits, with growing pauses. Meanwhile it counts as
  having no relay, so Odoo's scheduled action does the work.
- A database may not send anything: its child ends. If it was restored or copied, the child first
  asks the administrators. The next one starts when the system parameters have changed.
- This process is killed: the kernel sends SIGTERM to the children, which drain and end.
"""
