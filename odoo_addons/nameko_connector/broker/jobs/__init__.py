"""The messages of jobs: requests that are published after the commit, replies that wait for us.

The relay (`relay/`) decides what is published and acknowledged, and when; this package speaks AMQP.

1. `publisher` sends a batch of requests, persistent and mandatory, and waits until the broker has
   confirmed each of them. `body` builds the arguments, `ids` the correlation id: the job's uuid and
   the attempt.
2. The reply goes to a durable queue of this database, which `reply_to` names. `consumer` reads it,
   and the progress events, a bounded number of bytes ahead; `reply` turns a message into a value.
3. Once the result is committed, `unsettled` acknowledges as many deliveries as possible with one
   message. `moving` takes the others out of the way: a reply whose record is locked waits in
   a queue from which it comes back 5 s later; one that names no job becomes a dead letter.
4. `cancelled` tells the services which jobs were cancelled.
5. `dead_requests` answers requests that the broker itself gave up (a delivery limit).
6. `queues` lists and deletes the queues of a database when the addon is uninstalled.

When a step fails: a request that is too large or malformed is refused with an error of its own and
the others go on; a lost connection leaves requests unconfirmed (they are published again) and
replies unacknowledged (the broker delivers them again, and what was written is dropped).
"""
