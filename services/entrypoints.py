"""Entrypoints that Nameko lacks."""

from typing import Any

from nameko.timer import Timer


class ConfiguredTimer(Timer):
    """
    A Nameko timer that takes its interval in seconds from the configuration, and fires at once.

    `interval_key` names the key of the configuration.
    """

    def __init__(self, interval_key: str, **kwargs: Any) -> None:
        self.interval_key = interval_key
        super().__init__(interval=None, eager=True, **kwargs)

    def setup(self) -> None:
        self.interval = float(self.container.config[self.interval_key])


timer = ConfiguredTimer.decorator
