"""What the image installs exists ready-made, for both kinds of processor that clouds have."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[3]
UV = Path(sys.executable).with_name("uv")
UNREACHABLE = ("Could not connect", "error sending request", "dns error", "Network is unreachable")


@pytest.mark.parametrize("processor", ["x86_64", "aarch64"])
@pytest.mark.parametrize("version", ["3.11", "3.13"])
def test_every_locked_wheel_exists(version: str, processor: str, tmp_path: Path) -> None:
    done = resolve(version, processor, PROJECT / "requirements" / "runtime.txt", tmp_path)

    if any(word in done.stderr for word in UNREACHABLE):
        pytest.skip("no package index answers")
    assert done.returncode == 0, done.stderr
    assert "psycopg-binary" in done.stderr  # one that is not pure Python has been looked at


def test_a_wheel_that_does_not_exist_would_be_noticed(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("pywin32==306\n")

    done = resolve("3.11", "aarch64", tmp_path / "requirements.txt", tmp_path)

    if any(word in done.stderr for word in UNREACHABLE):
        pytest.skip("no package index answers")
    assert "has no wheels with a matching platform tag" in done.stderr


def resolve(version: str, processor: str, requirements: Path, target: Path) -> subprocess.CompletedProcess[str]:
    """Ask uv for the wheels without downloading them."""
    return subprocess.run(
        [
            str(UV), "pip", "install", "--dry-run", "--no-deps", "--only-binary=:all:", f"--target={target / 'target'}",
            f"--python-version={version}", f"--python-platform={processor}-unknown-linux-gnu", f"-r={requirements}",
        ],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
