"""Measures the times in which no job was finished although some were unfinished."""

import threading
import time

import psycopg2

from tests.jobs.world import World

SAMPLE_SECONDS = 0.5
LEAST_SECONDS = 5.0  # shorter times do not count
Span = tuple[float, float]  # when it began and when it ended, by the monotonic clock
# Without poison jobs: the question is whether the other jobs go on.
DONE = """
    SELECT count(*) FILTER (WHERE job.state = 'done'),
           count(*) FILTER (WHERE job.state IN ('pending', 'sent'))
      FROM nameko_job job JOIN nameko_job_probe probe ON probe.id = job.res_id
     WHERE probe.poison IS NULL
"""


class Progress:
    """Counts finished jobs in a thread of its own until `close`."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._gaps: list[Span] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def close(self) -> list[Span]:
        """Stop counting; return the times without progress, in order."""
        self._over.set()
        self._thread.join()
        return self._gaps

    def _watch(self) -> None:
        last, since = -1, time.monotonic()
        while not self._over.wait(SAMPLE_SECONDS):
            now = time.monotonic()
            try:
                ((done, unfinished),) = self._world.sql(DONE)
            except psycopg2.Error:  # the database is away: nothing can be done, so the gap grows
                done, unfinished = last, 1
            if done != last or not unfinished:
                if now - since > LEAST_SECONDS:
                    self._gaps.append((since, now))
                last, since = done, now
        self._gaps.append((since, time.monotonic()))
