"""Names of children: the same for the same resource and slot, whoever asks and however often."""

from __future__ import annotations

from hashlib import sha256

_DIGITS = 10  # hexadecimal; with a name of at most 47 characters a Job's name stays within 63


def job_name(name: str, uid: str, slot: str) -> str:
    """Return the name of the Job of a slot. Another object of the same name gets other names."""
    return f"{name}-{sha256(f'{uid}/{slot}'.encode()).hexdigest()[:_DIGITS]}"
