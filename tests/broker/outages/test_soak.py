"""A short soak; `python -m tests.broker.soak` is the long one."""

import pytest

from tests.broker.soak import soak


@pytest.mark.slow
def test_no_call_is_ever_mixed_up_lost_or_held(rabbitmq):
    # Other tests run beside it: a thread that hangs does so for ever, and many calls meet a fault.
    report = soak(rabbitmq, calls=2400, fault_every=0.5, grace=15)
    assert report.problems == []
    assert report.calls == 2400
    assert report.outcomes["answered"] > 24
    assert set(report.faults) >= {"kill_a_service", "forget_connections", "freeze_connections"}
