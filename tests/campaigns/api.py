"""
Requests to the API drawn from its OpenAPI document, on a small warehouse and beside a cluster made for them.

No answer may be 5xx, and each has to be what the document says.

    make campaign-api
    .venv/bin/python -m tests.campaigns.api --examples 2000 --seed 7

`--examples` are drawn requests per path, besides those at the bounds of each parameter.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.conftest import TEMPLATE, Warehouse
from tests.integration.api.fuzzing import fuzz, fuzzed
from tests.sample_warehouse import make_sample

from gitmart.local.temporary import temporary_postgres
from gitmart.warehouse.migrate import migrate


def main() -> int:
    """Ask an API on a server of the campaign's own; return 1 if an answer is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--examples", type=int, default=500, metavar="N", help="drawn requests per path (default 500)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="draws others (default 1)")
    arguments = parser.parse_args()
    with TemporaryDirectory() as folder, temporary_postgres(durable=False) as server:
        migrate(server.url("gitmart_owner"))
        warehouse = Warehouse(server, TEMPLATE)
        make_sample(Path(folder), warehouse)
        drawn = ("--max-examples", str(arguments.examples), "--seed", str(arguments.seed))
        with fuzzed(Path(folder), warehouse.url("gitmart_read")) as (address, by):
            done = fuzz(address, Path(folder), *by, *drawn)
    print(done.stdout, done.stderr, sep="")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
