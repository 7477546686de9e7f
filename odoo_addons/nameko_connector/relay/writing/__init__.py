"""Threads that write answers, so that slow callbacks do not block the relay's main loop.

One thread is enough as long as callbacks are fast. While answers wait because all threads are busy,
another one is added, up to a few.

- Answers with fast callbacks share a transaction: up to 250 answers or a second of callbacks.
- A callback that has never run in this process first runs alone; a slow one always runs alone.
  At most `MOST_ALONE` answers of this kind wait here; the rest is parked in the broker.
- If a usually fast callback blocks others for `HOLD_SECONDS`, its session is ended, which rolls
  the transaction back. All its answers are written again, this one alone.
- If a callback runs alone for longer than the limit, its session is ended, and its job fails.
- A thread that does not return is abandoned. If there are too many, the process must exit.

`threads` starts and watches the threads, `backlog` chooses what is written next, `transactions`
writes it, `pace` measures which callbacks are slow, and `work` has the values that they exchange.
"""
