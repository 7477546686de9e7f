"""More databases with work than processes take turns."""

from tests.jobs.many.many import PREFIX, Many, child, children
from tests.jobs.world import World
from tests.waiting import wait_until

ENDLESS = """
    INSERT INTO nameko_route (service, away_since, look_at)
    VALUES ('absent', now() AT TIME ZONE 'UTC', now() AT TIME ZONE 'UTC' + interval '1 day')
"""

SENT = """
    UPDATE nameko_job SET state = 'sent', is_ready = false,
                          deadline = now() AT TIME ZONE 'UTC' + interval '1 day'
"""


def keep_busy(world: World) -> None:
    """Give a database work that does not end."""
    world.sql(ENDLESS)
    world.make(1, service="absent", timeout=100_000)


def test_databases_take_turns(many: Many):
    keep_busy(many["a"])
    service = many.start("--processes=1", "--slice-seconds=1")
    child(service, "a")
    for name in "bc":
        many[name].make(3)
        assert many[name].wait_until_finished() == {"done": 3}
        assert len(children(service)) <= 1
    turn = f"serves the database {PREFIX}a"
    wait_until(lambda: service.output.count(turn) > 1, what="another turn")
    many["a"].make(3)
    wait_until(lambda: many["a"].states() == {"done": 3, "pending": 1})


def test_who_waits_for_answers_makes_room(many: Many):
    many["a"].make(1)
    many["a"].sql(SENT)
    service = many.start("--processes=1", "--slice-seconds=10000")
    child(service, "a")
    many["b"].make(3)
    assert many["b"].wait_until_finished() == {"done": 3}
    assert service.output.count(f"serves the database {PREFIX}b") == 1


# The decisions, without processes


def test_longest_waiting_first():
    from odoo.addons.nameko_connector.relay.service.turns import Limits, to_start  # noqa: PLC0415

    waiting = [place(f"{n}", due_at=100 - n) for n in range(5)]
    started = to_start(waiting, Limits(processes=3), now=200)
    assert [each.name for each in started] == ["4", "3", "2"]
    started = to_start([*waiting, place("x", started_at=1)], Limits(processes=3), now=200)
    assert [each.name for each in started] == ["4", "3"]


def test_turn_ends_only_for_others():
    from odoo.addons.nameko_connector.relay.service.turns import Limits, to_stop  # noqa: PLC0415

    limits = Limits(processes=2, slice_seconds=5)
    running = [place("old", started_at=80, served_at=90), place("new", started_at=88, served_at=98)]
    assert to_stop(running, limits, now=100) == []
    assert to_stop([*running, place("x")], limits, now=100) == running[:1]
    assert to_stop([*running, place("x"), place("y")], limits, now=100) == running[:1]
    running[0].is_stopping = True
    assert to_stop([*running, place("x")], limits, now=104) == []


def test_turn_begins_when_the_relay_is_connected():
    from odoo.addons.nameko_connector.relay.service.turns import Limits, to_stop  # noqa: PLC0415

    limits = Limits(processes=1, slice_seconds=5)
    starting = place("starting", started_at=90)
    assert to_stop([starting, place("x")], limits, now=100) == []
    assert to_stop([starting, place("x")], limits, now=160) == [starting]


def test_idle_ones_make_room_first():
    from odoo.addons.nameko_connector.relay.service.needs import Need  # noqa: PLC0415
    from odoo.addons.nameko_connector.relay.service.turns import Limits, to_stop  # noqa: PLC0415

    limits = Limits(processes=2, slice_seconds=5, idle_seconds=60)
    idle = place("idle", started_at=99, need=Need.NONE, idle_since=99)
    busy = place("busy", started_at=1, served_at=2)
    assert to_stop([busy, idle], limits, now=100) == []
    assert to_stop([busy, idle, place("x")], limits, now=100) == [idle]
    assert to_stop([busy, idle], limits, now=160) == [idle]


def place(name: str, **values):
    from odoo.addons.nameko_connector.relay.service.needs import Need  # noqa: PLC0415
    from odoo.addons.nameko_connector.relay.service.turns import Place  # noqa: PLC0415

    return Place(name, **{"need": Need.WORK, **values})
