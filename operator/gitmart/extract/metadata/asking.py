"""Conditional requests: what a host answered before, and what it says now."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from gitmart.contract.host_api import MetadataOutcome
from gitmart.extract.metadata.client import Answer, Client
from gitmart.extract.metadata.errors import MetadataError

_VALIDATOR = re.compile(r"[ -~]{1,512}")


@dataclass(frozen=True, slots=True)
class Remembered:
    """What tells a host which of its answers we have. It holds for one address and one token."""

    url: str
    token_fingerprint: str
    etag: str | None
    last_modified: str | None

    @property
    def headers(self) -> dict[str, str]:
        """
        The headers of a conditional request.

        The date only stands in for a missing ETag: to a second it may be the same for two answers, and for another
        token it would be the only one that counts.
        """
        if self.etag is not None:
            return {"If-None-Match": self.etag}
        return {"If-Modified-Since": self.last_modified} if self.last_modified is not None else {}


@dataclass(slots=True)
class Asking:
    """Asks a client, with what is remembered of earlier answers; `remember` is what to keep for the next time."""

    client: Client
    accept: str
    token_fingerprint: str
    remembered: Mapping[str, Remembered]
    remember: dict[str, Remembered] = field(default_factory=dict)

    def get(self, path: str) -> Answer:
        """Return the answer."""
        return self._expected(self.client.get(path, self.accept), asked=False)

    def get_if_changed(self, resource: str, path: str, *, has_value: bool) -> Answer:
        """Return the answer, an unchanged one only if `has_value`: the value it stands for is known."""
        url = f"{self.client.api}{path}"
        known = self.remembered.get(resource)
        usable = (
            has_value and known is not None and (known.url, known.token_fingerprint) == (url, self.token_fingerprint)
        )
        headers = known.headers if usable and known is not None else {}
        answer = self._expected(self.client.get(path, self.accept, headers), asked=bool(headers))
        if answer.is_unchanged and known is not None:
            self.remember[resource] = known
        else:
            self.remember[resource] = Remembered(
                url, self.token_fingerprint, _validator(answer, "etag"), _validator(answer, "last-modified")
            )
        return answer

    def _expected(self, answer: Answer, *, asked: bool) -> Answer:
        if answer.is_unchanged and not asked:
            raise MetadataError(
                MetadataOutcome.BAD_ANSWER,
                f"the API of {self.client.api.host} answered 304 to a request without a condition",
            )
        return answer


def _validator(answer: Answer, name: str) -> str | None:
    value = answer.headers.get(name, "")
    return value if _VALIDATOR.fullmatch(value) else None
