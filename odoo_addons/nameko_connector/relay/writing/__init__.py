"""Threads that write answers, so that the relay's loop goes on whatever a callback does.

One thread is enough as long as callbacks are fast. Another is added, up to a few, while answers
wait because all are busy.

- What is fast is written together: up to 250 answers, or a second of callbacks, a transaction.
- A callback that has never run in this process runs alone first; one that is slow always does.
  At most `MOST_ALONE` of these are kept here; the rest is parked in the broker.
- One that usually is fast and now holds up others for `HOLD_SECONDS`: its session is ended, which
  undoes the transaction, and all are written again, it alone.
- One that runs alone for longer than the limit: its session is ended, and its job fails.
- A thread that does not come back is given up. Where there are many, the process must end.

`threads` has the threads and watches them, `backlog` decides what is written next, `transactions`
writes it, `pace` knows what is slow, and `work` is what they hand to each other.
"""
