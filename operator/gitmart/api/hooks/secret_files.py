"""The secrets of webhooks: a folder with a file per sender, as a mounted Secret is one."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from gitmart.api.hooks.signatures import key_of

SHORTEST = 16  # characters; a shorter one can be guessed
LARGEST = 64 * 1024  # bytes of a file

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SecretFiles:
    """Files named after senders, a secret a line: several while one replaces another."""

    folder: Path

    def of(self, sender: str) -> tuple[str, ...]:
        """
        Return the secrets of a sender, read anew: a Secret that changes counts without a restart.

        A line that cannot be used is left out, and the log says which and why, not what is in it.
        """
        path = self.folder / sender
        try:
            with path.open("rb") as file:
                lines = file.read(LARGEST).decode().splitlines()
        except FileNotFoundError:
            log.warning(
                "no webhook of this sender is accepted: there is no file with secrets", extra={"file": str(path)}
            )
            return ()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8"
            log.warning("a file with secrets cannot be read", extra={"file": str(path), "reason": reason})
            return ()
        usable = []
        for number, line in enumerate(lines, 1):
            secret = line.strip()
            if not secret:
                continue
            if (mistake := _mistake(secret)) is None:
                usable.append(secret)
            else:
                log.warning(
                    "a secret cannot be used", extra={"file": str(path), "line": number, "reason": mistake}
                )  # fmt: skip
        return tuple(usable)


def _mistake(secret: str) -> str | None:
    try:
        key = key_of(secret)
    except ValueError as error:
        return str(error)
    return None if len(key) >= SHORTEST else f"it is shorter than {SHORTEST} bytes"
