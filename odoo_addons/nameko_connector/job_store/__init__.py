"""The SQL of jobs: functions that take a cursor, one module for each step of a job.

No function commits: that is the caller's task. A row goes through these steps:

1. `enqueue` inserts it as *pending*: ready, with a start time (`eta`), or waiting for other jobs.
2. `waiting` makes it ready when its predecessors are done, and when it is its turn among the jobs
   with its limit key; `dispatch.wake_due`, at its start time.
3. `claiming` locks ready rows (`FOR NO KEY UPDATE SKIP LOCKED`, by priority and age, within the
   capacity of their service and the policies). `dispatch` marks them *sent*, with a deadline, in
   the transaction in which they are published; before it, if a policy limits them. `routes`
   records the services whose queue is gone: their jobs stay ready.
4. `answers` locks the rows that have an answer, and makes them *done*, *failed* or *cancelled*,
   *pending* if their callback asks again, or resets them. A row whose answer is still in a relay
   gets a lease, which extends its deadline.
5. `late` finds the rows whose deadline has passed. They are retried after a delay, or fail.
6. `cancelled` records which jobs the services must stop; `retention` deletes old rows.

`monitoring` has the data for the screens: attempts, batches, failures, statistics and workflows.

The relay's queries process a limited number of rows, and skip locked rows.
"""
