"""
Fetching only what is new, into an empty repository.

The host's refs are compared with those of the last run. Of what changed, history is fetched back to a date
(or by a number of commits, where no date is known), without the contents of files. What was cut off is then
proved to be known:

    Every commit on disk whose parents were cut off (the boundary) is in the warehouse. The warehouse's
    commits are closed: what they lead to is there. So on the way from a new tip down to a commit that the
    warehouse lacks, none is in the warehouse, none is at the boundary, and git walks the whole way.

As long as the proof fails, the boundary is moved back. Dates only decide how much is fetched, never what is
true; when nothing helps, or the host cannot do this, NeedsCloneError tells to read the history whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gitmart.contract.outcomes import Outcome
from gitmart.extract.errors import ExtractError
from gitmart.extract.history import History
from gitmart.extract.host import Answer, ListingError, ask, default_branch
from gitmart.extract.known import Known
from gitmart.extract.partial import Partial
from gitmart.extract.refs import TAGS, Ref, Refs, digest_of, peel
from gitmart.extract.settings import Settings
from gitmart.extract.shape import Shape

DAY = 86_400  # seconds
# Old tips of refs that changed may differ much in age. A branch that slept longer costs another question; going
# back as far for all of them could cost the whole history.
WINDOW = 14 * DAY
BRANCH_DEPTH = 10  # commits of a branch that nobody knows: most have fewer of their own
DEEPER = (8, 64, 512)  # commits by which the boundary moves back each time

# A clone would end the same way, and ask a host that refused once more.
FINAL = frozenset(
    {
        Outcome.AUTHENTICATION_FAILED,
        Outcome.HOST_KEY_UNKNOWN,
        Outcome.MOVED,
        Outcome.DISK_FULL,
        Outcome.LIMIT_EXCEEDED,
        Outcome.TIMEOUT,
    }
)


class NeedsCloneError(Exception):
    """The history has to be read whole; the text says why."""


def fetch_new(settings: Settings, environment: Mapping[str, str], known: Known) -> History:
    """
    Return a history of which the warehouse's commits and those on disk are the whole.

    Raise NeedsCloneError when that cannot be had or proved, ExtractError when the host refuses.
    """
    shape = settings.shape
    if known.rows != shape.rows:
        raise NeedsCloneError("what is kept of a commit changed with the options or the version of gitmart")
    if not known.is_of(shape):
        raise NeedsCloneError(
            "what shapes the data, such as the branches to read, changed since the last run, or a ref's name is no UTF-8"
        )
    try:
        answer = ask(settings.remote, environment, settings.work_dir, settings.limits)
    except ListingError as error:
        raise NeedsCloneError(str(error)) from None
    chosen = {name: oid for name, oid in answer.refs.items() if shape.selects(name)}
    object_format = "sha256" if any(len(oid) == 64 for oid in chosen.values()) else "sha1"
    partial = Partial(settings.remote, environment, settings.work_dir / "new.git", object_format, settings.limits)
    try:
        return _history(settings, answer, Fetch(partial, known, answer, chosen))
    except ExtractError as error:
        if error.outcome in FINAL:
            raise
        raise NeedsCloneError(str(error)) from error


def is_known(shape: Shape, answer: Answer, known: Known) -> bool:
    """Whether the host has what it had at the last run, so that there is nothing to fetch."""
    return (
        known.rows == shape.rows
        and known.is_of(shape)
        and known.default_branch == default_branch(answer)
        and known.head == (answer.head or None)
        and {name: ref.object_hash for name, ref in known.refs.items()}
        == {name: oid for name, oid in answer.refs.items() if shape.selects(name)}
    )


def _history(settings: Settings, answer: Answer, fetch: Fetch) -> History:
    known, partial, leads_to = fetch.known, fetch.partial, fetch.run()
    refs = tuple(Ref(name, oid, leads_to[oid]) for name, oid in fetch.chosen.items())
    branch = default_branch(answer)
    head = answer.head or None
    head_on_disk = head is not None and partial.has(head)
    if head and not head_on_disk and not known.commits([head]):
        raise NeedsCloneError("HEAD is at a commit that no selected branch or tag had at the last run")
    digest = digest_of(fetch.chosen.items(), branch or answer.head, settings.shape)
    tips = [commit for oid in fetch.asked if (commit := leads_to[oid])]
    return History(partial.git, Refs(refs, head, branch, digest), tips, head if head_on_disk else None, partial)


@dataclass(slots=True)
class Fetch:
    """What is asked of the host, in which order, until the boundary is known."""

    partial: Partial
    known: Known
    answer: Answer
    chosen: dict[bytes, bytes]  # full name -> object of each ref that counts
    asked: frozenset[bytes] = frozenset()  # objects that the warehouse does not know

    def run(self) -> dict[bytes, bytes | None]:
        """Fetch; return what each object of a ref leads to, None if that is no commit."""
        leads_to = {ref.object_hash: ref.commit_hash for ref in self.known.refs.values()}
        others = set(self.chosen.values()) - leads_to.keys()
        leads_to |= {commit: commit for commit in self.known.commits(others)}
        self.asked = frozenset(others - leads_to.keys())
        if self.asked:
            tags = self._tags_on_known_commits()
            self._fetch_history(self.asked - tags)
            # Of these nothing is new but the tag. They come last, since a commit that came without its tree
            # would be taken for a whole one by a fetch that comes after.
            self.partial.fetch(tags, "--depth=1", objects="tree:0")
            if not self._is_proved():
                raise NeedsCloneError("the host says that a tag leads to a known commit, which it does not")
            leads_to |= peel(self.partial.git, list(self.asked))
        return leads_to

    def _tags_on_known_commits(self) -> frozenset[bytes]:
        ends = {oid: self.answer.peeled.get(name) for name, oid in self.chosen.items() if oid in self.asked}
        known = self.known.commits([end for end in ends.values() if end])
        return frozenset(oid for oid, end in ends.items() if end in known)

    def _fetch_history(self, ids: frozenset[bytes]) -> None:
        """Fetch what leads to the objects back to known commits; raise NeedsCloneError when that is not in reach."""
        dated = frozenset(
            oid
            for name, oid in self.chosen.items()
            if oid in ids and (name in self.known.refs or name.startswith(TAGS))
        )
        try:
            self.partial.fetch(dated, f"--shallow-since=@{self._since()} +0000")
        except ExtractError as error:
            if error.outcome in FINAL:
                raise
            dated = frozenset()  # all are older than the date, which git takes for an error
        self.partial.fetch(ids - dated, f"--depth={BRANCH_DEPTH}")
        for depth in DEEPER:
            if self._is_proved():
                return
            self.partial.fetch(ids, f"--deepen={depth}")
        if not self._is_proved():
            raise NeedsCloneError("what is new goes back to commits too old to be fetched apart")

    def _since(self) -> int:
        """Return the date to go back to: a day before the last run's tips of the refs that changed."""
        old = [ref for name, ref in self.known.refs.items() if self.chosen.get(name) in self.asked]
        window = WINDOW if old else 0  # only tags are new: they are on new commits, or we would know them
        tips = [ref.commit_hash for ref in old or self.known.refs.values() if ref.commit_hash]
        return self.known.date_of(tips, window) - DAY

    def _is_proved(self) -> bool:
        boundary = self.partial.boundary()
        return len(self.known.commits(boundary)) == len(set(boundary))
