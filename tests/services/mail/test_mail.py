"""Real mail processes, a real broker and a real SMTP server that fails in every way."""

import itertools
import threading

import pytest
import requests
from kombu import Connection
from nameko.exceptions import UnknownService

from services.exceptions import (
    DivisionByZeroError,
    InvalidRecipientError,
    InvalidSubjectError,
)
from stack.ports import reserve
from tests.processes import cluster, running
from tests.services.mail.mail_client import TO, dead_letters, received, send
from tests.waiting import wait_until
from tests.wire.raw import PERSISTENT, RawPublisher, long, short
from tests.wire.tables import table


def test_a_mail_arrives(environment, server):
    server.start()
    with running("services.mail", **environment):
        (mail_id,) = send(environment, "hello")
        wait_until(lambda: received(server) == ["hello"])
        assert mail_id in server.accepted[0]["Message-ID"]


def test_what_is_wrong_is_said_at_once(environment):
    with running("services.mail", **environment), cluster(environment["AMQP_URI"]) as rpc:
        with pytest.raises(InvalidRecipientError, match="no mail address"):
            rpc.mail.send("nobody", "subject", "contents")
        with pytest.raises(InvalidSubjectError):
            rpc.mail.send(TO, "two\nlines", "contents")


@pytest.mark.parametrize("fault", ["down", "451 data", "451 recipient", "hang"])
def test_a_mail_is_tried_until_it_arrives(environment, server, fault):
    if fault != "down":
        server.start()
    if fault == "451 recipient":
        server.recipient_answers = [fault] * 2
    elif fault != "down":
        server.data_answers = [fault] * 2
    with running("services.mail", **environment | {"SMTP_TIMEOUT": "0.3"}) as process:
        send(environment, "hello")
        process.wait_for_log("try 2 failed")
        if fault == "down":
            server.start()
        wait_until(lambda: received(server) == ["hello"])
        wait_until(lambda: process.logged("was sent"))
    assert list(server.count().values()) == [1]


def test_delays_grow(environment, server):
    server.data_answers = ["451 data"] * 4
    server.start()
    with running("services.mail", **environment) as process:
        send(environment, "hello")
        process.wait_for_log("is dead")
    waits = [b - a for a, b in itertools.pairwise(server.tried)]
    assert len(waits) == 3
    assert all(wait >= least for wait, least in zip(waits, (0.1, 0.2, 0.4), strict=True))


def test_a_mail_waits_out_a_restart_of_the_service(environment, server):
    environment["MAIL_RETRY_DELAYS"] = "[0.5, 1, 1]"
    with running("services.mail", **environment) as process:
        send(environment, "hello")
        process.wait_for_log("try 1 failed")
    server.start()
    with running("services.mail", **environment):
        wait_until(lambda: received(server) == ["hello"])


@pytest.mark.parametrize("queue", ["mail.waiting.500", "mail.outgoing", "mail.dead"])
def test_odd_messages_stop_no_mail_and_are_kept(environment, server, queue):
    """RabbitMQ 3.10 would not survive the `x-death` where it has to move the message itself."""
    environment["MAIL_RETRY_DELAYS"] = "[0.5]"
    odd = short(b"\xff" * 255)
    with running("services.mail", **environment) as process:
        publisher = RawPublisher(environment["AMQP_URI"])
        death = table([(b"x-death", b"A" + long(b"S" + long(b"x")))])
        for properties in (
            {"headers": death},
            {"headers": death, "content_type": short(b"application/json")},  # cannot be decoded
            {"content_type": odd, "correlation_id": odd, "headers": table([(b"\xff", b"V")])},
        ):
            publisher.publish(b"", queue.encode(), properties | {"delivery_mode": PERSISTENT}, b"?")
        publisher.close()
        send(environment, "hello")
        process.wait_for_log("try 1 failed")
        server.start()
        wait_until(lambda: received(server) == ["hello"])
        wait_until(lambda: len(dead_letters(environment)) == 3)


def test_mail_that_never_finishes_becomes_a_dead_letter(environment):
    """A quorum queue counts in this header how often a process died with the mail in hand."""
    with running("services.mail", **environment):
        with Connection(environment["AMQP_URI"]) as connection:
            headers = {"x-delivery-count": 100}
            producer = connection.Producer()
            producer.publish({"id": "x"}, routing_key="mail.outgoing", headers=headers)
        (letter,) = wait_until(lambda: dead_letters(environment))
    assert "delivered 100 times" in letter["error"]


@pytest.mark.parametrize("answers", ["data_answers", "recipient_answers"])
def test_what_is_refused_for_good_is_not_tried_again(environment, server, answers):
    server.start()
    setattr(server, answers, ["550 never"])
    with running("services.mail", **environment) as process:
        (mail_id,) = send(environment, "hello")
        process.wait_for_log("is dead")
        (letter,) = dead_letters(environment)
    assert (letter["id"], letter["to"], letter["attempts"]) == (mail_id, TO, 0)
    assert "550 never" in letter["error"]
    assert "contents" not in letter
    assert server.accepted == []


def test_accepting_does_not_wait_for_a_slow_server(environment, server):
    server.start()
    server.data_answers = ["hang"] * 30
    environment |= {"SMTP_TIMEOUT": "20"}
    uri = environment["AMQP_URI"]
    with running("services.mail", **environment), cluster(uri, timeout=5) as rpc:
        for number in range(30):
            assert rpc.mail.send(TO, "subject", str(number))


def test_a_mail_asked_for_while_mail_has_never_run_is_not_lost(environment, server):
    server.start()
    with running("services.compute", **environment) as compute:
        with cluster(environment["AMQP_URI"]) as rpc:
            assert rpc.compute.compute("sum", 30, 10, TO) == 40
            with pytest.raises(DivisionByZeroError):
                rpc.compute.compute("div", 30, 0, TO)
            with pytest.raises(UnknownService):
                rpc.nobody.method()
        assert compute.terminate() == 0  # the reply comes before the mail is asked for
    with running("services.mail", **environment):
        wait_until(lambda: len(server.accepted) == 2)
    assert {message["Subject"] for message in server.accepted} == {
        "Your operation is complete!",
        "An error occurred",
    }
    assert "The result is: 40" in received(server)


@pytest.mark.parametrize("name", ["job", "idempotency_id"])
def test_the_same_request_twice_is_one_mail(environment, server, name):
    """As after a redelivery: the request and its id are the same."""
    server.start()
    with running("services.mail", **environment):
        for job in ("job-1", "job-1", "job-2"):
            with cluster(environment["AMQP_URI"], context_data={name: job}) as rpc:
                rpc.mail.send(TO, "subject", "hello")
        wait_until(lambda: len(server.accepted) == 2)
        send(environment, "the end")
        wait_until(lambda: "the end" in received(server))
    assert sorted(server.count().values()) == [1, 1, 1]


def test_the_same_request_twice_is_accepted_once(environment):
    port = str(reserve())
    with running("services.mail", **environment, METRICS_PORT=port):
        ids = []
        for _ in range(2):
            with cluster(environment["AMQP_URI"], context_data={"job": "the-job"}) as rpc:
                ids.append(rpc.mail.send([TO, f"other.{TO}"], "subject", "hello"))
        assert ids[0] == ids[1]
        metrics = requests.get(f"http://127.0.0.1:{port}/metrics", timeout=30).text
    assert 'nameko_mails_total{outcome="accepted"} 2.0' in metrics


class Flapping:
    """A server that is down half of the time."""

    def __init__(self, server, seconds):
        self.server, self.seconds, self.over = server, seconds, threading.Event()
        self.downs = 0
        self.thread = threading.Thread(target=self._run)

    def _run(self):
        while not self.over.is_set():
            self.server.start()
            self.over.wait(self.seconds)
            self.server.stop()
            self.downs += 1
            self.over.wait(self.seconds)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *error):
        self.over.set()
        self.thread.join()


@pytest.mark.slow
def test_a_thousand_mails_while_the_server_is_down_half_of_the_time(environment, server):
    environment["MAIL_RETRY_DELAYS"] = str([0.5, 1] + [2] * 50)
    with running("services.mail", **environment) as process, Flapping(server, 0.6) as flapping:
        with cluster(environment["AMQP_URI"]) as rpc:
            replies = [rpc.mail.send.call_async(TO, "subject", f"{n}") for n in range(1000)]
            ids = {reply.result()[0] for reply in replies}
        wait_until(lambda: len(server.count()) == 1000)
        wait_until(lambda: sum("was sent" in line for line in process.lines) == 1000)
    assert len(ids) == 1000
    assert set(server.count().values()) == {1}
    assert flapping.downs > 3
    assert process.logged("try 1 failed")
    assert received(server) == sorted(str(n) for n in range(1000))


def test_two_instances_of_which_one_is_killed_lose_no_mail(environment, server):
    """Whatever the killed one had in hand is sent by the other; all of it at least once."""
    server.start()
    with running("services.mail", **environment), running("services.mail", **environment) as victim:
        with cluster(environment["AMQP_URI"]) as rpc:
            replies = [rpc.mail.send.call_async(TO, "subject", f"{n}") for n in range(300)]
            wait_until(lambda: len(server.count()) > 30)
            victim.kill()
            ids = {reply.result()[0] for reply in replies}
        wait_until(lambda: len(server.count()) == 300)
    assert len(ids) == 300
    counts = server.count()
    # The window that SMTP leaves: accepted by the server, and the sender died before it knew.
    assert sum(counts.values()) - len(counts) <= 4


def test_sigterm_in_the_middle_sends_nothing_twice(environment, server):
    server.start()
    with running("services.mail", **environment) as process:
        with cluster(environment["AMQP_URI"]) as rpc:
            replies = [rpc.mail.send.call_async(TO, "subject", f"{n}") for n in range(300)]
            for reply in replies:
                reply.result()
        wait_until(lambda: len(server.count()) > 50)
        assert process.terminate() == 0
    with running("services.mail", **environment):
        wait_until(lambda: len(server.count()) == 300)
    assert set(server.count().values()) == {1}


def test_no_secret_is_logged(environment, server):
    server.start()
    environment |= {"SMTP_USER": "user", "SMTP_PASSWORD": "s3cret-password", "LOG_LEVEL": "DEBUG"}
    with running("services.mail", **environment) as process:
        send(environment, "hello")
        process.wait_for_log("try 1 failed")
    assert not process.logged("s3cret")
    assert not process.logged("guest:guest")
