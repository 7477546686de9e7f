"""How the container's services take messages from the broker, and publish theirs.

1. `consuming` holds the connection of a service: Nameko's, changed so that no message can end it
   and that it lasts until all in hand are finished. `optional` is what it consumes beside requests.
2. `reading` turns what arrives into messages, whatever it holds.
3. `counting` decides whether a message is run now: a redelivered one may have ended the process
   that had it. `deliveries` is what a copy of it carries along.
4. `replying` encodes results and errors so that they can be sent.
5. `publishing` sends over the connection that the requests come by, confirmed many at a time.
6. `py_amqp` is all that relies on py-amqp's inner parts, with `reading`.

When a step fails: the message is answered with an error, or logged and rejected; where the
connection is lost, the broker delivers again what was in hand.
"""
