"""
The schema that dbt writes its marts into, a DbtSchedule's target: what it may be called, and what comes beside it.

dbt puts what is no mart into schemas that begin with the same name, its siblings.
"""

from __future__ import annotations

import re

DEFAULT = "analytics"
SCHEMA_VARIABLE = "GITMART_DBT_SCHEMA"  # names it to a process
LIMIT = 48  # characters: a name of PostgreSQL's holds 63, and a sibling's is up to 14 longer
SUFFIXES = ("_staging", "_intermediate", "_test_failures")

NAME = r"^[a-z_][a-z0-9_]*$"  # needs no quotes
# Other things of the warehouse, of PostgreSQL itself, and what would be a sibling of another target.
TAKEN = rf"^(public|gitmart_staging|dbt_meta|information_schema|pg_.*|.*({'|'.join(SUFFIXES)}))$"
ALLOWED = (
    f"must be a schema of at most {LIMIT} lower-case letters, digits and _ that does not begin with a digit; not public, "
    "gitmart_staging, dbt_meta, information_schema or pg_…, nor one that ends in _staging, _intermediate or "
    "_test_failures: dbt makes such schemas beside it"
)


def may_be_target(name: str) -> bool:
    """Whether dbt may write its marts into a schema of this name."""
    fits = len(name) <= LIMIT and re.fullmatch(NAME, name) is not None
    return fits and re.fullmatch(TAKEN, name) is None


def schemas_of(target: str) -> list[str]:
    """Return the schemas of a target: that of the marts first, then its siblings."""
    return [target, *(f"{target}{suffix}" for suffix in SUFFIXES)]
