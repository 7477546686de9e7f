"""Dead letters of mail: kept, listed, retried, dropped."""

import pytest
from kombu import Connection

from services.exceptions import (
    UnknownDeadLetterError,
)
from services.mail.dead_letters import LOCK
from tests.processes import cluster, running
from tests.services.mail.mail_client import dead_letters, received, send
from tests.vhosts import new_vhost
from tests.waiting import wait_until


def test_dead_letters_are_listed_retried_and_dropped(environment, server):
    with running("services.mail", **environment):
        ids = send(environment, "one", "two", "three", "four")
        wait_until(lambda: len(dead_letters(environment)) == 4)
        letters = dead_letters(environment)
        assert {letter["id"] for letter in letters} == set(ids)
        assert "given up after 4 tries" in letters[0]["error"]
        assert "ECONNREFUSED" in letters[0]["error"]
        server.start()
        with cluster(environment["AMQP_URI"]) as rpc:
            rpc.mail.retry_dead(ids[1])
            rpc.mail.drop_dead(ids[2])
            for method in (rpc.mail.retry_dead, rpc.mail.drop_dead):
                with pytest.raises(UnknownDeadLetterError, match=ids[2]):
                    method(ids[2])
            wait_until(lambda: received(server) == ["two"])
            assert rpc.mail.retry_all_dead() == 2
            wait_until(lambda: received(server) == ["four", "one", "two"])
            assert rpc.mail.dead_letters() == []


def test_dead_letters_outlive_many_looks_and_a_restart(environment, fresh_vhost):
    environment["MAIL_RETRY_DELAYS"] = "[0.1]"
    for _ in range(2):
        with running("services.mail", **environment):
            if not dead_letters(environment):
                send(environment, "hello")
            wait_until(lambda: len(dead_letters(environment)) == 1)
            for _ in range(15):
                assert len(dead_letters(environment)) == 1


def test_who_looks_at_dead_letters_waits_for_others_who_do(environment, fresh_vhost):
    uri = environment["AMQP_URI"]
    with running("services.mail", **environment), cluster(uri) as rpc:
        with Connection(uri) as somebody:
            somebody.default_channel.queue_declare(LOCK, exclusive=True)
            looks = [rpc.mail.dead_letters.call_async() for _ in range(5)]
            wait_until(lambda: fresh_vhost.messages("rpc-mail") == 0)  # services took them
        assert [look.result() for look in looks] == [[]] * 5


ODD = (b'{"x": 1}', b"[]", b"null", b"5", b'"text"', b"no JSON", b"\xff", b"[" * 100_000, b"")


def publish(environment, queue, *bodies):
    with Connection(environment["AMQP_URI"], transport_options={"confirm_publish": True}) as each:
        for body in bodies:
            each.Producer().publish(
                body,
                routing_key=queue,
                content_type="application/json",
                content_encoding="utf-8",
                mandatory=True,
            )


def test_what_is_no_mail_holds_up_no_mails(environment, server):
    server.start()
    with running("services.mail", **environment) as process:
        publish(environment, "mail.outgoing", *ODD[:5])
        publish(environment, "mail.dead", *ODD)
        send(environment, "hello")
        wait_until(lambda: received(server) == ["hello"])
        wait_until(lambda: len(dead_letters(environment)) == len(ODD) + 5)
        assert sum("is dead" in line for line in process.lines) == 5  # each looked at once
        assert not process.logged("Traceback")


def test_dead_letters_that_are_no_mails_are_only_dropped(environment, server):
    server.start()
    server.data_answers = ["550 never"]
    with running("services.mail", **environment):
        publish(environment, "mail.dead", *ODD)
        send(environment, "hello")
        wait_until(lambda: len(dead_letters(environment)) == len(ODD) + 1)
        with cluster(environment["AMQP_URI"]) as rpc:
            for odd in (None, 5, [], "unknown"):
                with pytest.raises(UnknownDeadLetterError):
                    rpc.mail.retry_dead(odd)
            assert rpc.mail.retry_all_dead() == 1
            wait_until(lambda: received(server) == ["hello"])
            letters = rpc.mail.dead_letters()
            with pytest.raises(UnknownDeadLetterError, match="can only be dropped"):
                rpc.mail.retry_dead(letters[0]["id"])
            assert {letter["to"] for letter in letters} == {""}
            assert all(letter["error"] for letter in letters)
            for letter_id in {letter["id"] for letter in letters}:
                rpc.mail.drop_dead(letter_id)
            assert rpc.mail.dead_letters() == []


def test_a_vhost_without_mails_has_no_dead_letters():
    with new_vhost() as vhost, running("services.mail", AMQP_URI=vhost.amqp_uri):
        assert dead_letters({"AMQP_URI": vhost.amqp_uri}) == []
