"""Imported first: Nameko's and its libraries' warnings that they grow old stay out of the log."""

import warnings

for text in ("pkg_resources is deprecated", r"\s*Eventlet is deprecated"):
    warnings.filterwarnings("ignore", text)
