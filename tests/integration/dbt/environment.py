"""Interpreters with other packages than the tests' own, each made once from a lock file."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def interpreter(name: str) -> Path:
    """Return one with what `requirements/NAME.txt` locks, from the cache or installed into it."""
    locked = ROOT / "requirements" / f"{name}.txt"
    folder = ROOT / ".cache" / name
    uv = Path(sys.executable).parent / "uv"
    python = folder / "bin" / "python"
    made = folder / "made-from.txt"
    folder.parent.mkdir(exist_ok=True)
    with open(f"{folder}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another process of the tests may be at it
        if not made.exists() or made.read_bytes() != locked.read_bytes():
            shutil.rmtree(folder, ignore_errors=True)
            subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, folder], check=True)
            subprocess.run([uv, "pip", "sync", "--quiet", "--python", python, "--require-hashes", locked], check=True)
            shutil.copy(locked, made)
    return python


def undisturbed() -> dict[str, str]:
    """Return the environment variables of this process that are not dbt's or gitmart's."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("DBT_", "GITMART_"))}
