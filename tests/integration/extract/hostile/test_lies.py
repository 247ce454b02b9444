"""A host that lies about what is new: the lie shows, and the history is read whole, or the host is believed."""

from __future__ import annotations

import pytest
from tests.integration.extract.hostile.conftest import Scene, compare, grow
from tests.integration.extract.hostile.server import CAN, FETCH, LIST, Exchange, Mischief
from tests.integration.extract.hostile.stories import BASIC, contained, packed, refuse
from tests.integration.extract.hostile.wire import lines, pack_of, with_pack, written

pytestmark = pytest.mark.xdist_group("hostile")  # one host and warehouse for all


@pytest.fixture
def followed(honest: Scene) -> str:
    """An address that was extracted, and has four commits more since."""
    url = honest.new()
    assert honest.extract(url).result["outcome"] == "Succeeded"
    grow(honest.repository, 4)
    return url


def for_contents(mischief: Mischief) -> Mischief:
    """Do it when contents of files are asked for, and be honest otherwise."""

    def only_then(exchange: Exchange) -> None:
        asked = exchange.wants()
        if asked and exchange.kind(asked[0]) == "blob":
            mischief(exchange)
        else:
            exchange.reply(exchange.honest())

    return only_then


def left_out(count: int | None) -> Mischief:
    """Send the contents without the first ones, or without any."""

    def mischief(exchange: Exchange) -> None:
        answer = exchange.honest()
        ids = [oid for oid, _ in contained(exchange, pack_of(answer))]
        exchange.reply(with_pack(answer, packed(exchange, ids[count:] if count else [])))

    return mischief


@pytest.mark.parametrize("count", [1, None], ids=["one", "all"])
def test_contents_that_are_left_out_are_neither_fetched_alone_nor_counted(
    count: int | None, honest: Scene, followed: str
) -> None:
    honest.server.behave(fetch=for_contents(left_out(count)))

    told = honest.extract(followed)

    assert (told.result["outcome"], told.result["fetch"]) == ("Succeeded", "full")
    assert "did not send all necessary objects" in told.result["fetchReason"]
    # What it has, the commits, the contents, and then the clone: nothing is asked for by itself.
    assert (honest.server.counts[CAN], honest.server.counts[LIST]) == (4, 2)
    assert honest.server.counts[FETCH] <= 5
    compare(honest, followed)


def test_folders_that_are_left_out_are_noticed(honest: Scene, followed: str) -> None:
    def without_trees(exchange: Exchange) -> None:
        request = (part.replace(b"filter blob:none", b"filter tree:0") for part in lines(exchange.body))
        exchange.reply(exchange.honest(written(request)))

    honest.server.behave(fetch=without_trees)

    told = honest.extract(followed)

    assert (told.result["outcome"], told.result["fetch"]) == ("Succeeded", "full")
    compare(honest, followed)


def test_a_lie_about_a_tag_is_noticed(honest: Scene, followed: str) -> None:
    repository = honest.repository
    old = repository.git("rev-parse", "HEAD~6").encode()
    repository.git("tag", "-m", "of no branch", "lie", GIT_COMMITTER_NAME="t", GIT_COMMITTER_EMAIL="t@example.org")
    repository.git("reset", "-q", "--hard", "HEAD~2")

    def lie(exchange: Exchange) -> None:
        told = (
            part.partition(b" peeled:")[0] + b" peeled:" + old + b"\n" if b"refs/tags/lie" in part else part
            for part in lines(exchange.honest())
        )
        exchange.reply(written(told))

    honest.server.behave(list=lie)

    told = honest.extract(followed)

    assert (told.result["outcome"], told.result["fetch"]) == ("Succeeded", "full")
    assert "a tag leads to a known commit, which it does not" in told.result["fetchReason"]
    compare(honest, followed)


def test_a_refusal_in_the_middle_is_believed(honest: Scene, followed: str) -> None:
    before = honest.rows()
    honest.server.behave(fetch=for_contents(refuse(401, **BASIC)))

    told = honest.extract(followed)

    assert (told.result["outcome"], told.result["fetch"]) == ("AuthenticationFailed", "incremental")
    assert honest.server.counts[CAN] == 3  # and no clone, which would ask once more
    assert honest.rows() == before
