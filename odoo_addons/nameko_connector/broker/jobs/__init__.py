"""The AMQP messages of jobs: requests published after the commit, and replies in a durable queue.

The relay (`relay/`) decides what is published and acknowledged, and when; this package does it.

1. `publisher` sends a batch of requests, persistent and mandatory, and waits until the broker has
   confirmed each of them. `body` builds the arguments, `ids` the correlation id: the job's uuid and
   the attempt.
2. The reply goes to a durable queue of this database, which `reply_to` names. `consumer` reads it,
   and the progress events, and prefetches a limited number of bytes; `reply` decodes a message.
3. Once the result is committed, `unsettled` acknowledges as many deliveries as possible with one
   ack. `moving` moves other replies to other queues: if the record is locked, to a queue that
   returns the reply 5 s later; if the reply belongs to no job, to the dead letters.
4. `cancelled` publishes events that tell the services which jobs were cancelled.
5. `dead_requests` answers requests that the broker dead-lettered because of a delivery limit.
6. `queues` lists and deletes the queues of a database when the addon is uninstalled.

When a step fails: a request that is too large or malformed gets its own error, and the others are
sent. After a lost connection, unconfirmed requests are published again, and the broker redelivers
unacknowledged replies; a reply that was already written is dropped.
"""
