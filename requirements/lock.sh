#!/bin/sh
# Pin every requirement with hashes, for every Python that Odoo 19 runs on: `make lock`.
set -eu
cd "$(dirname "$0")"
for name in uv addon services dev; do
    uv pip compile --quiet --universal --python-version 3.10 --generate-hashes \
        --no-emit-index-url --no-header "$name.in" -o "$name.txt"
done
