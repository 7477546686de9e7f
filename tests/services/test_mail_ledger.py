"""The ledger of sent mails: across threads of work, processes and their sudden death."""

import os
import signal
import subprocess
import sys
import uuid
from types import SimpleNamespace

import pytest

from services.mail.ledger import HeldError, Ledger

HOLD = """
import sys, time
from types import SimpleNamespace
from services.mail.ledger import Ledger
ledger = Ledger()
ledger.container = SimpleNamespace(config={"MAIL_LEDGER": sys.argv[1]})
ledger.setup()
with ledger.claim(sys.argv[2]):
    print("held", flush=True)
    time.sleep(60)
"""


def open_ledger(folder):
    ledger = Ledger()
    ledger.container = SimpleNamespace(config={"MAIL_LEDGER": str(folder)})
    ledger.setup()
    return ledger


def test_what_was_recorded_is_known_to_all(tmp_path):
    mail_id, first, second = str(uuid.uuid4()), open_ledger(tmp_path), open_ledger(tmp_path)
    with first.claim(mail_id) as already_sent:
        assert not already_sent
        first.record(mail_id)
    with second.claim(mail_id) as already_sent:
        assert already_sent


def test_a_mail_in_hand_is_held(tmp_path):
    mail_id, ledger = str(uuid.uuid4()), open_ledger(tmp_path)
    with ledger.claim(mail_id), pytest.raises(HeldError), ledger.claim(mail_id):
        pass
    with ledger.claim(mail_id):
        pass


def test_the_dead_hold_nothing(tmp_path):
    mail_id, ledger = str(uuid.uuid4()), open_ledger(tmp_path)
    command = [sys.executable, "-W", "ignore", "-c", HOLD, tmp_path, mail_id]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(HeldError), ledger.claim(mail_id):
            pass
        os.kill(other.pid, signal.SIGKILL)
    with ledger.claim(mail_id) as already_sent:
        assert not already_sent


def test_a_ledger_that_cannot_be_written_does_not_raise(tmp_path, caplog):
    ledger = open_ledger(tmp_path)
    ledger.sent.execute("DROP TABLE sent")
    ledger.record(str(uuid.uuid4()))
    assert "cannot be written" in caplog.text
