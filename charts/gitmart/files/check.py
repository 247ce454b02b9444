"""`helm test`: the warehouse is at this version's revision, each role may log in, operator and API are ready."""
# ruff: noqa: INP001, S310 # a script; its one address is the chart's own

import os
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from gitmart.warehouse.connections import connect
from gitmart.warehouse.errors import WarehouseError
from gitmart.warehouse.revision import check_revision, needed_revision

FOLDER = Path(os.environ["WAREHOUSE_FOLDER"])
# Who shall be ready, and where that is told.
VARIABLES = {"the operator": "OPERATOR_READY_URL", "the API": "API_READY_URL"}
SERVED = {name: url for name, variable in VARIABLES.items() if (url := os.environ.get(variable))}
PATIENCE = float(os.environ["PATIENCE_SECONDS"])  # how long the warehouse and the operator may still take


def problem() -> str:
    """Say what is not as it should be, "" when all is well."""
    for key in ("extract-url", "transform-url", "read-url"):
        try:
            with connect(
                (FOLDER / key).read_text().strip(), application_name="gitmart-test", autocommit=True
            ) as session:
                check_revision(session)
        except (OSError, WarehouseError) as error:
            return f"{key}: {error}"
    # A ready operator watches Repositories and DbtSchedules, so the API server knows them.
    for name, url in SERVED.items():
        try:
            with urllib.request.urlopen(url, timeout=5):
                pass
        except urllib.error.HTTPError as error:
            return f"{name} is not ready: {error.read().decode(errors='replace').strip()}"
        except OSError as error:
            return f"{name} does not answer: {error}"
    return ""


deadline = time.monotonic() + PATIENCE
while (found := problem()) and time.monotonic() < deadline:
    time.sleep(2)
print(found or f"the warehouse is at revision {needed_revision()}, its roles may log in, {' and '.join(SERVED)} ready")
sys.exit(1 if found else 0)
