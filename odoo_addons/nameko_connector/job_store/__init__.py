"""Jobs as rows: plain functions over a cursor, one module for each thing that happens to a job.

No function commits: the caller's transaction decides. A row moves as follows:

1. `enqueue` inserts it as *pending*: ready, with a time to wait for (`eta`), or waiting for others.
2. `waiting` makes it ready when its predecessors are done; `dispatch.wake_due` when its time comes.
3. `dispatch` claims ready rows (`FOR NO KEY UPDATE SKIP LOCKED`, by priority and age, within the
   capacity of their service) and marks them *sent*, with a deadline, in the transaction in which
   they are published. `routes` knows the services whose queue is gone: their jobs stay ready.
4. `answers` locks the rows that are answered and makes them *done*, *failed* or *cancelled*, or
   puts them back. A row whose answer waits in a relay gets a lease: it does not become late.
5. `late` finds the rows whose deadline is over: they are ready again after their delay, or lost.
6. `cancelled` keeps which jobs the services must stop; `retention` deletes old rows.

Beside that way, `batches`, `failures` and `statistics` keep what people see of many jobs at once.

What the relay asks for is bounded in number, and passes over rows that others have locked.
"""
