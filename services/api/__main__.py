"""Serves the REST API with waitress: `python -m services.api [--config services/config.yaml]`."""

import argparse
import logging
import logging.config
import signal
import sys
from pathlib import Path
from typing import Any

import waitress

from services.api.app import create_app
from services.api.connections import OPTIONS, limit_connections
from services.config import DEFAULT_PATH, load_config
from services.exceptions import ConfigurationError

logger = logging.getLogger("services.api")


def main() -> None:
    """Serve until SIGTERM or SIGINT; requests that have begun are finished."""
    parser = argparse.ArgumentParser(prog="python -m services.api", description=__doc__)
    parser.add_argument("--config", type=Path, default=DEFAULT_PATH)
    config = load_config(parser.parse_args().config)
    logging.config.dictConfig(config["LOGGING"])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        serve(config)
    except ConfigurationError as error:
        sys.exit(str(error))


def serve(config: dict[str, Any]) -> None:
    """Serve the API as `config` says; raise `ConfigurationError` without API keys."""
    app = create_app(config)
    host, port = config["API_HOST"], config["API_PORT"]
    logger.info("the REST API is ready at http://%s:%s/apidocs", host, port)
    limit_connections()
    # API_THREADS threads may wait for results; as many are there for all other requests.
    waitress.serve(app, host=host, port=port, threads=2 * config["API_THREADS"], **OPTIONS)


if __name__ == "__main__":
    main()
