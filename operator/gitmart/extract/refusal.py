"""What a host's refusal means for the person who wrote the Repository."""

from __future__ import annotations

import re

from gitmart.contract.outcomes import Outcome
from gitmart.extract.errors import ExtractError, GitError
from gitmart.extract.settings import Remote
from gitmart.extract.ssh import ssh_refusal

_REFUSED = re.compile(r"authentication failed|could not read (username|password)|returned error: 40[13]", re.IGNORECASE)


def refusal(remote: Remote, doing: str, printed: str, exit_code: int) -> ExtractError:
    """
    Return the error for what git printed while it talked to the host.

    A host that wants credentials, or other ones, is told as such; whatever the host repeated of the
    secrets it was sent is taken out.
    """
    printed = remote.scrubber.clean(printed)
    if remote.url.scheme == "ssh":
        return ssh_refusal(remote, doing, printed, exit_code)
    error = GitError(doing, printed, exit_code, about=str(remote.url))
    if remote.url.scheme != "https":
        return error
    if error.outcome is Outcome.MOVED:
        advice = "the host redirects to another address, which gitmart does not follow: change the url to the new one, and its data go on"
    elif not (error.outcome is Outcome.AUTHENTICATION_FAILED and _REFUSED.search(printed)):
        return error
    elif remote.credentials is not None and remote.credentials.authorization:
        advice = (
            f"the host refused the credentials of {remote.credentials.source}, or they may not read this repository"
        )
    else:
        advice = (
            "the host asks for credentials: set spec.secretRef to a Secret that holds them, "
            "or look at the address (many hosts answer so too when there is no such repository)"
        )
    return ExtractError(f"{advice} ({error})", error.outcome)
