"""Reads the configuration as `nameko run --config` does, for programs of other kinds."""

from pathlib import Path
from typing import Any

import yaml
from nameko.cli.main import setup_yaml_parser

DEFAULT_PATH = Path(__file__).with_name("config.yaml")


def load_config(path: Path = DEFAULT_PATH) -> dict[str, Any]:
    """Return the configuration; `${NAME:default}` is replaced by environment variables."""
    setup_yaml_parser()
    config: dict[str, Any] = yaml.safe_load(path.read_text())
    return config
