"""For the tests of other addons: calls and jobs without a message broker.

`answered_calls` answers calls by hand, `recorded_calls` replays recorded ones, and `trap_jobs`
collects jobs and performs them. The addon itself does not import this package.
"""

from .calls import answered_calls, recorded_calls
from .jobs import trap_jobs

__all__ = ["answered_calls", "recorded_calls", "trap_jobs"]
