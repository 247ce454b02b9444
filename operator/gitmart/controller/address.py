"""Which address the warehouse knows a Repository by, while `spec.url` may be another one by now."""

from __future__ import annotations

from collections.abc import Callable

from gitmart.contract.repository_url import url_key
from gitmart.controller.runs import Run
from gitmart.resources.repository import Repository

Identity = tuple[str, str, str]  # namespace, name of the warehouse's Secret, key of the address


def url_after(repository: Repository, run: Run, *, good: bool) -> str | None:
    """
    Return the address of the rows after a run that was `good` or not.

    The spec may have been edited while it ran, so it is the one that the result tells, else the one that the run
    was made to read, else the one in the spec if this is still the generation that it ran for. A run that is not
    good changes no address that is known; but the very first may have stored rows and left no word of it.
    """
    known = repository.status.url
    is_silent = run.text("outcome") is None and run.never_started is None
    if not good and (known is not None or not is_silent):
        return known
    told = run.text("url")
    if told is not None and _key(told) is not None:  # a result that was cut short has none that can be believed
        return told
    if run.url is not None:
        return run.url
    return str(repository.spec.url) if run.generation in (None, repository.metadata.generation) else known


def previous_url(repository: Repository, is_taken: Callable[[Identity], bool]) -> str | None:
    """
    Return the address whose rows an extraction shall go on with, if the histories are the same; None for no other.

    None as well once another Repository has that address: its rows are that one's. A run that seems to have failed
    may have given the rows an address that the spec has no more, and nobody heard of it. So after a failure the
    known address is told even if it is that of the spec.
    """
    known, spec = repository.status.url, repository.spec
    key = _key(known) if known is not None else None
    if key is None:
        return None
    if key == spec.url.key:
        return known if repository.status.consecutive_failures else None
    return None if is_taken((repository.metadata.namespace, spec.warehouse_ref.name, key)) else known


def _key(url: str) -> str | None:
    try:
        return url_key(url)
    except ValueError:
        return None
