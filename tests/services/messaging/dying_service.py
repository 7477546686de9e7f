"""A service that, the first time, dies between its reply and its work for `AfterReply`."""

import os
import signal
from pathlib import Path
from typing import Any

from services.dependencies import AfterReply
from services.entrypoints import rpc


class DyingService:
    name = "dying"
    after_reply = AfterReply()

    @rpc
    def work(self, folder: Any) -> Any:
        self.after_reply(tell, Path(folder))
        return "done"

    @rpc
    def stumble(self) -> Any:
        self.after_reply(int, "not a number")
        return "done"


def tell(folder: Any) -> None:
    died = folder / "died"
    if not died.exists():
        died.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    with (folder / "told").open("a") as told:
        told.write("told\n")
