"""Consumes messages from the broker for the services of a container, and publishes theirs.

1. `consuming` holds the connection of a service: Nameko's, changed so that no message can break it
   and that it stays open until all received messages are handled. `optional` consumes the queues
   that a service can do without.
2. `reading` turns the bytes that arrive into messages, even malformed ones.
3. `counting` decides whether a message is run now: a redelivered one may have ended the process
   that had it. `deliveries` is the record of its deliveries in the headers of its copy.
4. `replying` encodes results and errors so that they can be sent.
5. `publishing` publishes over the same connection, and waits for many confirms at a time.
6. `py_amqp` and `reading` are the only modules that rely on py-amqp's internals.

When a step fails, the message is answered with an error, or logged and rejected. When the
connection is lost, the broker redelivers the messages that were not acked.
"""
