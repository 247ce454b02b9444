"""Which repository a person means. Real git, no network."""

from __future__ import annotations

import subprocess
from pathlib import Path
from urllib.parse import quote

import pytest

from gitmart.contract.repository_url import parse_repository_url
from gitmart.local.exits import LocalError
from gitmart.local.source import address, resource_name


@pytest.fixture(autouse=True)
def hermetic_git(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")


def git(*words: str | Path) -> None:
    identity = ("-c", "user.name=Author One", "-c", "user.email=one@example.org", "-c", "protocol.file.allow=always")
    subprocess.run(["git", *identity, *words], check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "a répo #1"
    git("init", "-q", folder)
    for number in range(2):
        git("-C", folder, "commit", "-q", "--allow-empty", "-m", f"commit {number}")
    return folder


@pytest.mark.parametrize("inside", ["", "src/deep", ".git"])
def test_any_folder_of_a_repository_leads_to_it(repository: Path, inside: str) -> None:
    folder = repository / inside
    folder.mkdir(parents=True, exist_ok=True)
    url = address(str(folder))

    assert str(url) == "file://" + quote(str(repository if inside != ".git" else repository / ".git"))
    assert parse_repository_url(str(url), allow_file=True) == url
    assert address(str(url)) == url


def test_a_bare_repository_is_taken_as_it_is(repository: Path, tmp_path: Path) -> None:
    git("clone", "-q", "--bare", repository, tmp_path / "bare.git")

    assert address(str(tmp_path / "bare.git")).name == "bare"


def test_a_hook_does_not_lead_astray(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))

    assert address(str(repository)).path == quote(str(repository))


def test_a_shallow_clone_is_refused_with_the_cure(repository: Path, tmp_path: Path) -> None:
    git("clone", "-q", "--depth", "1", f"file://{quote(str(repository))}", tmp_path / "shallow")

    with pytest.raises(LocalError, match=r"shallow clone.*git fetch --unshallow"):
        address(str(tmp_path / "shallow"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("name", "neither a folder here nor a URL", id="bare-word"),
        pytest.param("owner/name", "neither a folder here nor a URL", id="owner-and-name"),
        pytest.param("git@git.example.org:a/b", "write git@host:path as ssh://git@host/path", id="scp"),
        pytest.param("https://u:secret@git.example.org/a", "no user name, token or password", id="credentials"),
        pytest.param("ext::sh -c id", "must start with https://", id="remote-helper"),
        pytest.param("--upload-pack=x", "neither a folder here nor a URL", id="option"),
        pytest.param("/dev/null", "is not a folder", id="no-folder"),
        pytest.param("/", "is not a git repository", id="no-repository"),
    ],
)
def test_what_is_no_repository_is_refused(text: str, message: str) -> None:
    with pytest.raises(LocalError, match=message) as caught:
        address(text)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "name"),
    [
        pytest.param("https://git.example.org/Group/My_Repo.git", "my-repo", id="usual"),
        pytest.param("file:///srv/a%20r%C3%A9po", "a-r-po", id="encoded"),
        pytest.param("file:///srv/%E5%90%8D", "repository", id="nothing-left"),
        pytest.param(f"https://git.example.org/{'x' * 200}", "x" * 40, id="long"),
    ],
)
def test_the_resource_gets_a_name_kubernetes_allows(url: str, name: str) -> None:
    assert resource_name(parse_repository_url(url, allow_file=True)) == name
