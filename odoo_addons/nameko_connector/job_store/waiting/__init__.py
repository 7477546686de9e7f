"""Make jobs ready that wait for other jobs: for their results, or for their turn.

- `predecessors`: a job waits until all jobs in its `after` are done, and fails if one of them does.
- `keys`: of the unfinished jobs with the same limit key, so many are open at a time. The others
  wait (`is_waiting`), in the order of their ids:

  1. A job with a limit key is inserted as waiting, with a start time: now, if it has none.
  2. At that time, `keys.release` removes the start time. From then on the job is in the line.
  3. `keys.release` opens jobs from the head of a line: as many as may be open at a time, less those
     that are. It holds an advisory lock, and its statements see everything that earlier holders
     have committed. So a limit is exact with several relays, also if a job with a lower id is
     committed after others have been opened.
  4. An open job stays open until it has ended, over all attempts, delays and rounds. Then the
     relays are notified, and look at the line of its key.

  Jobs without a limit key are not read by any of these steps.
"""
