"""
The browser that the tests drive: Chromium of Debian's packages, or the one that GITMART_CHROMIUM names.

`python -m tests.browser.chromium` installs it if it is missing and this may install packages, and says so if not.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

GIVEN = "GITMART_CHROMIUM"
REQUIRED = "GITMART_REQUIRE_BROWSER"
PROGRAMS = ("chromium-headless-shell", "chromium")
# The first is the second without a window: a third of the size. A font is what letters are drawn with.
PACKAGES = ("chromium-headless-shell", "fonts-dejavu-core")


class NoBrowserError(Exception):
    """There is no Chromium, and why."""


def executable() -> Path:
    """Return the program. Raise NoBrowserError, which says what to do."""
    if given := os.environ.get(GIVEN):
        return Path(given)
    for program in PROGRAMS:
        if found := shutil.which(program):
            return Path(found)
    raise NoBrowserError(f"there is no Chromium: install Debian's {PACKAGES[0]}, or name a program with {GIVEN}")


def install() -> None:
    """Install Debian's package. Raise NoBrowserError where that cannot be."""
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        executable()
        return
    for command in (["update", "-qq"], ["install", "-qq", "--yes", "--no-install-recommends", *PACKAGES]):
        done = subprocess.run(
            ["apt-get", *command],
            env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise NoBrowserError(f"there is no Chromium, and apt-get {command[0]} failed:\n{done.stderr[-2000:]}")


def prepare() -> int:
    """Have it, or say why the tests will do without; return the exit code."""
    try:
        try:
            executable()
        except NoBrowserError:
            install()
            executable()
    except NoBrowserError as error:
        required = os.environ.get(REQUIRED) == "1"
        more = "" if required else f"\nTests that need one are skipped; {REQUIRED}=1 makes that a failure."
        sys.stderr.write(f"{error}{more}\n")
        return int(required)
    return 0


if __name__ == "__main__":
    sys.exit(prepare())
