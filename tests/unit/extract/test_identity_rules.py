"""What ties two identities, who stands for a person, and who is a bot: by table."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitmart.extract.agents import AGENTS, agent_of, kind_of
from gitmart.extract.identity_rules import DEFAULT_THRESHOLD, MEANINGS, Noreply, Rule, describe, is_personal, noreply
from gitmart.extract.people import Member, Merge, Ties, people_of

DOCS = Path(__file__).parents[3] / "docs" / "identity.md"


@pytest.mark.parametrize(
    ("email", "account"),
    [
        ("1+octo@users.noreply.github.com", Noreply("github.com", "1", "octo")),
        ("Octo-Cat@users.noreply.GitHub.com", Noreply("github.com", None, "Octo-Cat")),
        ("1-octo@users.noreply.github.com", Noreply("github.com", None, "1-octo")),
        ("1+app[bot]@users.noreply.github.com", Noreply("github.com", "1", "app[bot]")),
        ("7-jane.doe@users.noreply.gitlab.com", Noreply("gitlab.com", "7", "jane.doe")),
        ("7-jane@users.noreply.git.example.org", Noreply("git.example.org", "7", "jane")),
        ("7+jane@users.noreply.ghe.example.org", Noreply("ghe.example.org", "7", "jane")),
        ("jane@users.noreply.ghe.example.org", Noreply("ghe.example.org", None, "jane")),
        ("jane@noreply.github.com", None),
        ("1+@users.noreply.github.com", None),
        ("a b@users.noreply.github.com", None),
        ("jane@example.org", None),
        ("x@users.noreply.github.com@example.org", None),
    ],
)
def test_a_noreply_address_tells_the_account(email: str, account: Noreply | None) -> None:
    assert noreply(email) == account


def test_an_account_has_a_page() -> None:
    assert describe("x", "1+octo@users.noreply.github.com").profile_url == "https://github.com/octo"
    assert describe("x", "1+app[bot]@users.noreply.github.com").profile_url == "https://github.com/apps/app"
    assert (describe("x", "x@example.org").username, describe("x", "x@example.org").profile_url) == (None, None)


@pytest.mark.parametrize(
    "email",
    ["", "root@localhost", "jane", "jane@", "@example.org", "jane@laptop", "jane@laptop.local", "u@ip-1.ec2.internal",
     "you@example.com", "noreply@github.com", "no-reply@example.org", "x@(none)", "none@none", "a@b.localdomain"],
)  # fmt: skip
def test_an_address_of_nobody_ties_nobody(email: str) -> None:
    assert not is_personal(email)
    assert Rule.EMAIL not in {key.rule for key in describe("Jane Doe", email).keys}


@pytest.mark.parametrize(
    ("name", "email", "kind", "agent"),
    [
        ("dependabot[bot]", "49699333+dependabot[bot]@users.noreply.github.com", "bot", "Dependabot"),
        ("dependabot-preview[bot]", "x@example.org", "bot", "Dependabot"),
        ("renovate[bot]", "29139614+renovate[bot]@users.noreply.github.com", "bot", "Renovate"),
        ("Renovate Bot", "bot@renovateapp.com", "bot", "Renovate"),
        ("github-actions[bot]", "41898282+github-actions[bot]@users.noreply.github.com", "bot", "GitHub Actions"),
        ("GitHub Action", "action@github.com", "bot", "GitHub Actions"),
        ("pre-commit-ci[bot]", "66853113+pre-commit-ci[bot]@users.noreply.github.com", "bot", "pre-commit.ci"),
        ("GitHub", "noreply@github.com", "bot", "GitHub"),
        ("our-own[bot]", "ci@example.org", "bot", None),
        ("Claude", "noreply@anthropic.com", "assistant", "Claude"),
        ("Claude Opus 4.5", "NoReply@Anthropic.com", "assistant", "Claude"),
        ("claude[bot]", "209825114+claude[bot]@users.noreply.github.com", "assistant", "Claude"),
        ("Copilot", "175728472+Copilot@users.noreply.github.com", "assistant", "GitHub Copilot"),
        ("copilot-swe-agent[bot]", "198982749+Copilot@users.noreply.github.com", "assistant", "GitHub Copilot"),
        ("Cursor Agent", "cursoragent@cursor.com", "assistant", "Cursor"),
        ("aider (gpt-4o)", "noreply@aider.chat", "assistant", "aider"),
        ("Codex", "noreply@openai.com", "assistant", "Codex"),
        ("Devin AI", "158243242+devin-ai-integration[bot]@users.noreply.github.com", "assistant", "Devin"),
        ("google-labs-jules[bot]", "161369871+google-labs-jules[bot]@users.noreply.github.com", "assistant", "Jules"),
        # People who bear such a name, or work with such a tool.
        ("Claude", "claude@example.org", "human", None),
        ("Claude Dupont", "12+claude@users.noreply.github.com", "human", None),
        ("Devin Moore", "devin@example.org", "human", None),
        ("Jane Doe (aider)", "jane@example.org", "human", None),
        ("Abbott", "abbot@example.org", "human", None),
        ("", "", "human", None),
    ],
)
def test_bots_and_assistants_are_told_from_people(name: str, email: str, kind: str, agent: str | None) -> None:
    found = agent_of(name, email)

    assert (kind_of(name, email), found.name if found else None) == (kind, agent)


def test_each_agent_has_a_source_and_no_two_share_a_sign() -> None:
    for agent in AGENTS:
        assert agent.source.startswith("https://")
        signs = [*agent.apps, *agent.users, *agent.emails, *agent.names]
        assert signs == [sign.lower() for sign in signs]
    for kind in ("apps", "users", "emails", "names"):
        every = [sign for agent in AGENTS for sign in getattr(agent, kind)]
        assert len(every) == len(set(every))


def test_the_manual_has_the_rules_and_the_agents() -> None:
    text = DOCS.read_text(encoding="utf-8")

    for rule, meaning in MEANINGS.items():
        assert f"| `{rule}` | {meaning.confidence:.2f} | {meaning.summary} |" in text
    for agent in AGENTS:
        assert agent.name in text
    assert f"{DEFAULT_THRESHOLD:.2f}" in text


def member(number: int, name: str, email: str) -> Member:
    return Member(number, name, email, describe(name, email).keys)


ANN = member(1, "Ann Lee", "ann@example.org")
ANN_TOO = member(2, "ann", "ANN@example.org")
PROPER = member(3, "A", "2+zoe@users.noreply.github.com")
OTHER = member(4, "Other", "other@example.org")


def test_the_identity_that_people_see_best_stands_for_the_person() -> None:
    assert people_of([ANN_TOO, ANN], Ties({})).roots == {1: 1, 2: 1}


def test_what_a_mailmap_calls_proper_stands_before_any_other_and_a_user_s_word_before_that() -> None:
    said = {Merge(1, 3, Rule.MAILMAP, 7): "line 1"}
    assert people_of([ANN, ANN_TOO, PROPER], Ties(said)).roots == {1: 3, 2: 3, 3: 3}

    said[Merge(3, 4, Rule.USER)] = "decision 1"
    assert set(people_of([ANN, ANN_TOO, PROPER, OTHER], Ties(said)).roots.values()) == {4}


def test_two_who_are_each_put_in_the_place_of_the_other_are_one_person() -> None:
    said = {Merge(1, 4, Rule.USER): "", Merge(4, 1, Rule.USER): ""}

    assert people_of([ANN, OTHER], Ties(said)).roots == {1: 1, 4: 1}


def test_who_was_split_off_is_tied_by_a_user_alone() -> None:
    said = {Merge(1, 3, Rule.MAILMAP, 7): "line 1"}
    people = people_of([ANN, ANN_TOO, PROPER], Ties(said, splits={1}))
    assert (people.merges, people.roots) == ({}, {1: 1, 2: 2, 3: 3})

    said[Merge(1, 4, Rule.USER)] = "decision 1"
    assert people_of([ANN, ANN_TOO, OTHER, PROPER], Ties(said, splits={1})).roots == {1: 4, 2: 2, 3: 3, 4: 4}


def test_the_latest_word_on_what_a_person_is_counts_for_all_identities() -> None:
    people = people_of([ANN, ANN_TOO, OTHER], Ties({}, kinds={1: "bot", 2: "assistant"}))

    assert people.kinds == {1: "assistant", 2: "assistant", 4: "human"}


_PEOPLE = st.lists(
    st.tuples(
        st.sampled_from(["Ann Lee", "ann  LEE", "Bob", "dependabot[bot]"]),
        st.sampled_from(["a@x.org", "A@x.org", "a@y.org", "1+a@users.noreply.github.com", "a@users.noreply.github.com",
                         "2+a@users.noreply.github.com", "root@localhost", "b@x.org"]),
    ), unique=True, max_size=8,
)  # fmt: skip
_SAID = st.dictionaries(
    st.tuples(st.integers(0, 7), st.integers(0, 7), st.sampled_from([Rule.USER, Rule.MAILMAP])),
    st.just("said"),
    max_size=5,
)


@settings(max_examples=200, derandomize=True, database=None)
@given(people=_PEOPLE, said=_SAID, splits=st.sets(st.integers(0, 7), max_size=2), data=st.data())
def test_neither_the_order_nor_the_numbers_of_identities_matter(
    people: list[tuple[str, str]], said: dict[tuple[int, int, Rule], str], splits: set[int], data: st.DataObject
) -> None:
    def settled(numbers: list[int]) -> tuple[object, ...]:
        names = dict(zip(numbers, people, strict=True))
        ties = {
            Merge(numbers[one], numbers[other], rule): told
            for (one, other, rule), told in said.items()
            if one != other and max(one, other) < len(people)
        }
        apart = {numbers[each] for each in splits if each < len(people)}
        found = people_of([member(number, *names[number]) for number in sorted(numbers)], Ties(ties, apart))
        assert all(found.roots[root] == root for root in found.roots.values())
        assert all(found.roots[merge.from_id] == found.roots[merge.to_id] for merge in found.merges)
        return (
            {names[number]: names[root] for number, root in found.roots.items()},
            {(names[merge.from_id], names[merge.to_id], merge.rule) for merge in found.merges},
        )

    order = data.draw(st.permutations(range(1, len(people) + 1)))
    assert settled(list(order)) == settled(list(range(1, len(people) + 1)))
