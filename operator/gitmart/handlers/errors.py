"""
What the Kubernetes API refuses, and what each refusal means to a visit.

ApiError                    the API server said no; the text is its own and names the object or the field
├── NotFoundError           404
├── ForbiddenError          403: RBAC, an admission rule or a quota; or the namespace is ending
├── ConflictError           409: the object is not what the caller thought (resourceVersion, uid)
│   └── AlreadyExistsError  409 to a create
├── InvalidError            422, or 400 for one of another shape: the API server names the field
├── TooManyRequestsError    429 to the last attempt; `retry_after` says when to come again
└── UnavailableError        no connection, no answer in time, 5xx

NoClusterError              no way to any cluster is configured
"""

from __future__ import annotations

import json
from collections.abc import Mapping


class NoClusterError(Exception):
    """No way to any cluster is configured; the text says what is missing."""


class ApiError(Exception):
    """The API server refused. `status` is HTTP's, 0 without an answer; `reason` is a word such as `Invalid`."""

    def __init__(self, status: int, reason: str, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message
        self.retry_after = retry_after  # seconds, None: not told


class NotFoundError(ApiError):
    """There is no such object, or no such kind."""


class ForbiddenError(ApiError):
    """The operator may not do this."""


class ConflictError(ApiError):
    """The object has changed, or is another one, since it was read."""


class AlreadyExistsError(ConflictError):
    """An object of this name is there."""


class InvalidError(ApiError):
    """The object breaks a rule of its schema, or is of another shape; the message names the field."""


class TooManyRequestsError(ApiError):
    """The API server asks to come later."""


class UnavailableError(ApiError):
    """The API server cannot be reached, did not answer in time or failed."""


# The API server says 500 to a server-side apply of a field that its kind does not have, with these words:
# https://github.com/kubernetes/kubernetes/issues/139253
_OF_ANOTHER_SHAPE = "failed to create typed patch object"

_BY_STATUS: dict[int, type[ApiError]] = {
    400: InvalidError,
    403: ForbiddenError,
    404: NotFoundError,
    409: ConflictError,
    422: InvalidError,
    429: TooManyRequestsError,
}


def refusal(status: int, text: str, headers: Mapping[str, str], request: str) -> ApiError:
    """Return the error of an answer. The API server explains itself in a Status object; a proxy may not."""
    try:
        told = json.loads(text)
    except ValueError:
        told = None
    told = told if isinstance(told, dict) else {}
    reason = str(told.get("reason") or status)
    message = str(told.get("message") or f"{request}: HTTP {status}: {text[:200]!r}")
    kind = UnavailableError if status >= 500 else _BY_STATUS.get(status, ApiError)
    if status == 500 and message.startswith(_OF_ANOTHER_SHAPE):
        kind = InvalidError
    if kind is ConflictError and reason == "AlreadyExists":
        kind = AlreadyExistsError
    return kind(status, reason, message, _seconds(headers.get("Retry-After")))


def _seconds(text: str | None) -> float | None:
    """Return a Retry-After in seconds; the API server never writes a date."""
    return float(text) if text and text.isascii() and text.isdigit() else None
