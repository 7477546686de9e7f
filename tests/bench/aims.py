"""The aims for the figures of the benchmark."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Aim:
    """The highest or lowest value that a figure should have."""

    what: str
    most: float | None = None
    least: float | None = None

    @property
    def text(self) -> str:
        """The aim as a text for the report."""
        return f"≤ {self.most:g}" if self.most is not None else f"≥ {self.least:g}"

    def reached(self, value: float) -> bool:
        """Return whether a measured value is good enough."""
        if self.most is not None:
            return value <= self.most
        return self.least is not None and value >= self.least


AIMS = {
    "click_overhead_vs_kept_proxy": Aim(
        "(the button over HTTP - a button that does nothing) / one call on a kept ClusterRpcProxy",
        most=1.3,
    ),
    "click_speedup_vs_seed": Aim(
        "the same button with a ClusterRpcProxy per click: its overhead / ours", least=6
    ),
    "call_vs_raw_amqp": Aim("one call / a raw AMQP RPC round trip (direct reply-to)", most=2.5),
    "batch_speedup_vs_seed": Aim(
        "10,000 records: records/s of our action / of a loop with a proxy per record", least=100
    ),
    "batch_vs_orm": Aim(
        "10,000 records: our records/s / bare ORM writes of the same results", least=0.4
    ),
    "calls_per_s_16_threads_vs_1": Aim("16 threads in one process, 4 service instances", least=1),
    "compute_p99_beside_primes_vs_idle": Aim(
        "p99 of compute.method while the same process counts primes to 10⁸ / when it is idle",
        most=5,
    ),
    "connections_lost_meanwhile": Aim(
        "AMQP connections that missed their 10-second heartbeat meanwhile", most=0
    ),
    "jobs_vs_queue_job": Aim(
        "jobs/s from creation in Odoo to results in fields, through a service / OCA queue_job, "
        "4 workers, whose job adds and writes the field itself",
        least=30,
    ),
    "jobs_vs_bare_nameko": Aim("jobs/s / pipelined calls/s of a bare kept proxy", least=1),
    "job_latency_vs_call": Aim(
        "median from the commit of a job to the commit of its result / one pooled call", most=8
    ),
    "backlog_growth": Aim(
        "jobs/s with 1,000,000 finished and 100,000 pending jobs / with 5,000 and 30,000", least=0.8
    ),
    "overview_ms": Aim(
        "reading the overview with 1,000,000 finished and 100,000 waiting jobs, in ms", most=100
    ),
    "live_cost": Aim(
        "jobs/s at 1,000 created a second while 200 forms and 20 lists follow / while none does",
        least=0.8,
    ),
    "live_p95_s": Aim(
        "seconds from the commit of a result until a form shows it meanwhile, p95", most=1
    ),
    "relay_memory_growth": Aim("the relay's memory after 200,000 jobs / after 5,000", most=1.2),
    "locked_cost": Aim(
        "jobs/s of free records while ten others with jobs are locked for a minute / without",
        least=0.8,
    ),
    "many_idle_cpu": Aim("the relay service with 50 databases without work: % of a core", most=1),
    "relays_2_vs_1": Aim("jobs/s with two relays / with one, on this machine", least=0.95),
    "create_many": Aim("jobs/s made in bulk / bare ORM creates of simple rows", least=0.5),
}
