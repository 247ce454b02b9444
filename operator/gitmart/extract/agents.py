"""
Bots and coding assistants that commit under identities of their own, and how these are told.

Each entry says where its identity is documented or can be seen. An e-mail or a name in the table means the agent
itself; `[bot]` at the end of a name is how GitHub marks the accounts of its apps.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Kind = Literal["human", "bot", "assistant"]


@dataclass(frozen=True, slots=True)
class Agent:
    """
    A bot or an assistant. All texts are in lower case.

    `apps` are names that end in `[bot]`, here without it; `users` are accounts like people's, as they stand in
    noreply addresses; `emails` and `names` are whole ones.
    """

    name: str
    kind: Kind
    source: str
    apps: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    names: tuple[str, ...] = ()


_APPS = "https://github.com/apps/"

AGENTS = (
    Agent("Dependabot", "bot", _APPS + "dependabot", apps=("dependabot", "dependabot-preview"), emails=("support@dependabot.com",)),
    Agent("Renovate", "bot", "https://docs.renovatebot.com/configuration-options/#gitauthor", apps=("renovate",), users=("renovate-bot",),
          emails=("bot@renovateapp.com", "renovate@whitesourcesoftware.com"), names=("renovate bot", "whitesource renovate")),
    Agent("GitHub Actions", "bot", "https://github.com/actions/checkout#push-a-commit-using-the-built-in-token", apps=("github-actions",),
          emails=("action@github.com", "actions@github.com", "github-actions@github.com"), names=("github action", "github actions")),
    Agent("GitHub", "bot", "https://docs.github.com/authentication/managing-commit-signature-verification/about-commit-signature-verification",
          users=("web-flow",), emails=("noreply@github.com",)),
    Agent("pre-commit.ci", "bot", "https://pre-commit.ci/", apps=("pre-commit-ci",)),
    Agent("Greenkeeper", "bot", "https://github.com/greenkeeperio/greenkeeper", apps=("greenkeeper",), users=("greenkeeperio-bot",), emails=("support@greenkeeper.io",)),
    Agent("Snyk", "bot", "https://docs.snyk.io/scan-with-snyk/pull-requests", users=("snyk-bot",), emails=("snyk-bot@snyk.io",), names=("snyk-bot", "snyk bot")),
    Agent("PyUp", "bot", "https://github.com/pyupio/pyup", users=("pyup-bot",), emails=("github-bot@pyup.io",)),
    Agent("All Contributors", "bot", "https://allcontributors.org/docs/en/bot/overview", apps=("allcontributors",)),
    Agent("Weblate", "bot", "https://docs.weblate.org/en/latest/admin/config.html", emails=("hosted@weblate.org", "noreply@weblate.org")),
    Agent("Crowdin", "bot", "https://support.crowdin.com/github-integration/", apps=("crowdin-bot",), emails=("support+bot@crowdin.com",)),
    Agent("ImgBot", "bot", "https://imgbot.net/docs/", apps=("imgbot",), users=("imgbotapp",), emails=("imgbothelp@gmail.com",)),
    Agent("semantic-release", "bot", "https://semantic-release.gitbook.io/semantic-release/usage/configuration",
          users=("semantic-release-bot",), emails=("semantic-release-bot@martynus.net",), names=("semantic-release-bot",)),
    Agent("Release Please", "bot", "https://github.com/googleapis/release-please", apps=("release-please",)),
    Agent("Mergify", "bot", "https://docs.mergify.com/", apps=("mergify",)),
    Agent("bors", "bot", "https://github.com/rust-lang/bors", apps=("bors",), emails=("bors@rust-lang.org",)),
    Agent("Travis CI", "bot", "https://docs.travis-ci.com/", emails=("builds@travis-ci.org", "builds@travis-ci.com")),
    Agent("Scala Steward", "bot", "https://github.com/scala-steward-org/scala-steward", apps=("scala-steward",), users=("scala-steward",)),
    Agent("Kubernetes Prow", "bot", "https://github.com/k8s-ci-robot", users=("k8s-ci-robot", "k8s-merge-robot"), names=("k8s-ci-robot", "kubernetes prow robot")),
    Agent("Flux", "bot", "https://fluxcd.io/flux/components/image/imageupdateautomations/", users=("fluxcdbot",), names=("fluxcdbot",)),
    Agent("Claude", "assistant", "https://code.claude.com/docs/en/settings#attribution-settings", apps=("claude",), emails=("noreply@anthropic.com",)),
    Agent("GitHub Copilot", "assistant", "https://docs.github.com/copilot/concepts/agents/coding-agent/about-coding-agent",
          apps=("copilot", "copilot-swe-agent"), users=("copilot",), emails=("copilot@github.com",)),
    Agent("Cursor", "assistant", "https://cursor.com/docs", apps=("cursor",), users=("cursoragent",), emails=("cursoragent@cursor.com",), names=("cursor agent",)),
    Agent("aider", "assistant", "https://aider.chat/docs/git.html", emails=("noreply@aider.chat", "aider@aider.chat")),
    Agent("Codex", "assistant", "https://developers.openai.com/codex/cloud", apps=("chatgpt-codex-connector",), emails=("noreply@openai.com",)),
    Agent("Devin", "assistant", "https://docs.devin.ai/integrations/gh", apps=("devin-ai-integration",)),
    Agent("Jules", "assistant", "https://jules.google/docs/", apps=("google-labs-jules",)),
    Agent("Gemini Code Assist", "assistant", _APPS + "gemini-code-assist", apps=("gemini-code-assist",)),
    Agent("Amazon Q", "assistant", _APPS + "amazon-q-developer", apps=("amazon-q-developer",)),
    Agent("OpenHands", "assistant", "https://github.com/All-Hands-AI/OpenHands", users=("openhands-agent",), emails=("openhands@all-hands.dev",), names=("openhands",)),
    Agent("Sweep", "assistant", "https://github.com/sweepai/sweep", apps=("sweep-ai", "sweep-nightly")),
    Agent("opencode", "assistant", "https://opencode.ai/docs/github/", apps=("opencode-agent",)),
)  # fmt: skip

BOT_MARK = "[bot]"
_BY_APP = {app: agent for agent in AGENTS for app in agent.apps}
_BY_USER = {user: agent for agent in AGENTS for user in agent.users}
_BY_EMAIL = {email: agent for agent in AGENTS for email in agent.emails}
_BY_NAME = {name: agent for agent in AGENTS for name in agent.names}
_NOREPLY = re.compile(r"(?:[0-9]+\+)?([^@]+)@users\.noreply\.github\.com")


def agent_of(name: str, email: str) -> Agent | None:
    """
    Return the agent that commits as (name, e-mail); None when the table knows none.

    The address decides if it is of the table or of an account at GitHub; else the name.
    """
    name, email = name.lower(), email.lower()
    if (agent := _BY_EMAIL.get(email)) is not None:
        return agent
    if (noreply := _NOREPLY.fullmatch(email)) is not None:
        return _of_account(noreply[1]) or (_BY_APP.get(_app(name)) if name.endswith(BOT_MARK) else None)
    return _BY_APP.get(_app(name)) if name.endswith(BOT_MARK) else _BY_NAME.get(name)


def _of_account(account: str) -> Agent | None:
    return _BY_APP.get(_app(account)) if account.endswith(BOT_MARK) else _BY_USER.get(account)


def _app(name: str) -> str:
    return name.removesuffix(BOT_MARK)


def kind_of(name: str, email: str) -> Kind:
    """Return what commits as (name, e-mail)."""
    agent = agent_of(name, email)
    if agent is not None:
        return agent.kind
    marked = (name.lower(), email.lower().partition("@")[0])
    return "bot" if any(text.endswith(BOT_MARK) for text in marked) else "human"
