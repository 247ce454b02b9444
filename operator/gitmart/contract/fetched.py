"""What `gitmart fetch` leaves beside the files that it brings, for whoever works on them."""

from __future__ import annotations

import re
from pathlib import Path

_FILE = ".gitmart-commit"  # hidden: no part of any dbt project
_HASH = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")


def write_commit(folder: Path, commit: str) -> None:
    """Note which commit the files in a folder are of."""
    (folder / _FILE).write_text(f"{commit}\n", encoding="ascii")


def read_commit(folder: Path) -> str | None:
    """Return the commit that the files in a folder are of, None if nobody has noted one."""
    try:
        text = (folder / _FILE).read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return None
    return text if _HASH.fullmatch(text) else None
