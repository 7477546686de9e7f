"""Which jobs are sent next: `capacities` finds the services, `claim` locks their jobs.

`capacities` also reads the policies that pause or limit a service with ready jobs. A service
without one is claimed as if there were no policies. Otherwise:

- **Paused**: the service, or the method, is left out. The other methods are claimed through an
  index by service and method: the ready jobs of each open method are read in their order, so the
  waiting jobs of a paused method are never read, however many there are (`methods`). This index is
  kept for all ready jobs: to build it when a manager presses *Pause* would take minutes, and the
  jobs of a method without a policy would have to wait for it. It costs an insertion for each job
  that becomes ready, and nothing when the job is claimed.
- **Limited**: jobs start in two transactions, so that a limit is exact whatever dies between:

  1. Lock the row of the policy (`limits.lock`; a policy that is locked has its turn later). In
     the next statement, which sees all that earlier holders of the lock have committed, count what
     runs and what has started (`limits.rooms`). Claim no more jobs than there is room for, mark
     them sent, note them as starts (`starts.note`), and commit.
  2. Publish them; then note when, and which of them the broker does not have (`starts.settle`).

  If the relay dies between the two, its session is gone and another relay ends the starts
  (`starts.recover`). Nobody knows then whether the requests have left. Under a limit at a time,
  the jobs keep their places until their answer or their timeout; otherwise they are ready again.

Jobs with a limit key start in two transactions as well, whether there are policies or not.

**At a time** counts the jobs that are sent and have not ended.

**The rate** is a sliding window log (Alex Xu, "System Design Interview", chapter 4): a start counts
for a whole window after it was published, by PostgreSQL's clock, and as long as it is not known
when it was. So in no window of that length do more jobs start than allowed. Starts within a
hundredth of the window share a row, and count for as long as the last of them.
"""
