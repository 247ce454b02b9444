"""
Running git on untrusted input: nothing of the machine's configuration, no hook, no shell, no prompt.

GitPython handles the repository (making it, cloning with progress); statistics come from git's own
plumbing in `source.py`, because GitPython takes ten times as long for them.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from gitmart.contract.repository_url import RepositoryUrl
from gitmart.extract.address import Address, allowed_addresses, curl_resolve
from gitmart.extract.errors import DamagedError, GitError
from gitmart.extract.settings import Settings

CONFIGURATION = """\
[core]
	hooksPath = /dev/null
	attributesFile = /dev/null
[gc]
	auto = 0
[maintenance]
	auto = false
[http]
	followRedirects = false
[init]
	defaultBranch = main
[advice]
	detachedHead = false
[protocol]
	version = 2
"""


def hermetic_environment(settings: Settings) -> dict[str, str]:
    """
    Return the whole environment for git: what the system needs, and nothing that changes what git prints.

    Writes the configuration files it names into the work folder. Proxy and certificate variables pass,
    since they say how to reach the host, not what to read. Raise ExtractError when the host's address
    is unknown or not allowed.
    """
    home = settings.work_dir / "home"
    templates = home / "templates"
    templates.mkdir(parents=True, exist_ok=True)
    addresses = allowed_addresses(settings.url, allow_private=settings.allow_private_addresses)
    (home / "config").write_text(_configuration(settings.url, addresses), encoding="utf-8")
    (home / "ssh_config").write_text(_ssh_configuration(settings.url, addresses), encoding="utf-8")
    is_file = settings.url.scheme == "file"
    passed = ("PATH", "LD_LIBRARY_PATH", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR", "SSH_AUTH_SOCK")
    proxies = [name for name in os.environ if name.lower() in {"https_proxy", "no_proxy", "all_proxy"}]
    return {
        **{name: os.environ[name] for name in (*passed, *proxies) if name in os.environ},
        "HOME": str(home),
        "LC_ALL": "C",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": str(home / "config"),
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_TEMPLATE_DIR": str(templates),
        "GIT_ALLOW_PROTOCOL": "https:ssh:file" if is_file else "https:ssh",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "/bin/false",
        "SSH_ASKPASS": "/bin/false",
        "GIT_SSH_COMMAND": f"ssh -F {shlex.quote(str(home / 'ssh_config'))}",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        # git would flush after every commit it prints into a pipe: fifteen times the reads.
        "GIT_FLUSH": "0",
    }


def _configuration(url: RepositoryUrl, addresses: Sequence[Address]) -> str:
    text = CONFIGURATION
    if bundle := os.environ.get("SSL_CERT_FILE"):  # known to OpenSSL alone, and git may be built with another library
        text += f"[http]\n\tsslCAInfo = {json.dumps(bundle)}\n"
    if url.scheme == "https" and addresses:
        text += f"[http]\n\tcurloptResolve = {curl_resolve(url, addresses)}\n"
    if url.scheme == "file":
        # The person who wrote file:///path wants this very folder read, whoever owns it.
        text += '[safe]\n\tdirectory = "*"\n'
    return text


def _ssh_configuration(url: RepositoryUrl, addresses: Sequence[Address]) -> str:
    """Return options of ssh_config(5): never ask, know the host by its name, connect to the address we looked at."""
    lines = ["BatchMode yes", "StrictHostKeyChecking yes", "ConnectTimeout 20", "ProxyCommand none", "ForwardAgent no"]
    if url.scheme == "ssh" and addresses:
        lines += [f"HostName {addresses[0]}", f"HostKeyAlias {url.host}"]
    return "".join(f"{line}\n" for line in lines)


class Git:
    """A bare repository and the environment in which git reads it."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.folder = folder
        self.environment = dict(environment)

    def command(self, *words: str) -> list[str]:
        """Return the argument list of a git command on this repository."""
        return ["git", f"--git-dir={self.folder}", *words]

    def run(self, *words: str, stdin: bytes = b"", accept: Sequence[int] = (0,)) -> bytes:
        """Return what git prints; raise GitError on an exit code that is not accepted."""
        done = subprocess.run(
            self.command(*words), input=stdin, capture_output=True, env=self.environment, cwd=self.folder, check=False
        )
        if done.returncode not in accept:
            raise GitError(f"git {words[0]}", done.stderr.decode(errors="replace"), done.returncode)
        return done.stdout

    def start(self, *words: str, stdin: int | None = subprocess.DEVNULL, stderr: int) -> subprocess.Popen[bytes]:
        """Start git with its output in a pipe, unbuffered on our side; `stderr` is a file's descriptor."""
        return subprocess.Popen(
            self.command(*words),
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=stderr,
            bufsize=0,
            env=self.environment,
            cwd=self.folder,
        )

    def pack_bytes(self) -> int:
        """Return the bytes of all packs and loose objects: what the clone brought."""
        return sum(file.stat().st_size for file in (self.folder / "objects").rglob("*") if file.is_file())


def git_version(environment: Mapping[str, str]) -> str:
    """Return git's version, such as 2.39.5: rename detection and counts may differ between versions."""
    done = subprocess.run(["git", "--version"], capture_output=True, text=True, env=dict(environment), check=True)
    return done.stdout.removeprefix("git version ").strip()


def clone(settings: Settings, environment: Mapping[str, str], advance: Callable[[float, float], None]) -> Git:
    """
    Clone the repository bare into the work folder; branches and tags, all of their history.

    `advance(done, total)` hears of the progress in objects. Raise GitError, or DamagedError when the
    source is shallow, since every commit at its edge would seem to add the whole tree.
    """
    import git as gitpython  # 0.2 s of imports that a wrong option need not wait for

    class Progress(gitpython.RemoteProgress):
        objects = 0.0

        def update(
            self,
            op_code: int,
            cur_count: str | float,
            max_count: str | float | None = None,
            message: str = "",  # noqa: ARG002
        ) -> None:
            """Take receiving and resolving for a half of the work each, in objects."""
            stage, share = op_code & self.OP_MASK, float(cur_count) / float(max_count or 1)
            if stage == self.RECEIVING and max_count:
                self.objects = float(max_count)
                advance(self.objects * share / 2, self.objects)
            elif stage == self.RESOLVING and max_count:
                advance(self.objects * (1 + share) / 2, self.objects)

    class Clone(gitpython.Repo):
        def __init__(self, path: str, odbt: type) -> None:
            super().__init__(path, odbt, expand_vars=False)  # a folder's name may well hold a $

    folder = settings.work_dir / "repository.git"
    progress = Progress()
    runner = gitpython.Git(settings.work_dir)
    # GitPython adds the environment to its own process's; ours was emptied of GIT_* at the start.
    runner.update_environment(**environment)
    try:
        Clone._clone(  # noqa: SLF001 # clone_from() cannot be given a working folder
            runner, str(settings.url), str(folder), gitpython.GitCmdObjectDB, progress=progress, bare=True
        ).close()
    except gitpython.GitCommandError as error:
        status = error.status if isinstance(error.status, int) else 1
        # GitPython keeps what is no progress in the progress object, and not in the error.
        printed = "\n".join([*progress.other_lines, *progress.error_lines, str(error.stderr)])
        raise GitError(f"cloning {settings.url}", printed, status) from None
    if (folder / "shallow").exists():
        raise DamagedError(
            f"{settings.url} is a shallow clone: its history is cut off, so line counts would be wrong; "
            "fetch the rest there with `git fetch --unshallow`"
        )
    return Git(folder, environment)


def forget_git_variables() -> None:
    """Remove GIT_* from our own environment: a caller's GIT_DIR or GIT_CONFIG_* must not reach any git we start."""
    for name in [name for name in os.environ if name.startswith("GIT_") and name != "GIT_PYTHON_REFRESH"]:
        del os.environ[name]
