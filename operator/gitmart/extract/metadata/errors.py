"""Why a look at a host's API ends early. It never ends the extraction."""

from __future__ import annotations

from datetime import datetime

from gitmart.contract.host_api import MetadataOutcome


class MetadataError(Exception):
    """The look ends; `outcome` says as what, `again` when the host may be asked again if it says so."""

    def __init__(self, outcome: MetadataOutcome, message: str, again: datetime | None = None) -> None:
        super().__init__(message)
        self.outcome = outcome
        self.again = again


class RefusedError(MetadataError):
    """One address was refused (401, 403, 404, …); others may not be."""

    def __init__(self, outcome: MetadataOutcome, message: str, status: int) -> None:
        super().__init__(outcome, message)
        self.status = status


class TooLargeError(MetadataError):
    """One answer is larger than any that is read."""
