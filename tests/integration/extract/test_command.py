"""`gitmart extract` as a process: bad input, and things that break on the way, each with its exit code and a message."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gitmart.contract.outcomes import Outcome

Extract = Callable[..., dict[str, object]]


@pytest.mark.parametrize(
    ("url", "outcome", "says"),
    [
        pytest.param("--upload-pack=x", Outcome.INVALID_INPUT, "--url", id="option as url"),
        pytest.param("ext::sh -c true", Outcome.INVALID_INPUT, "https:// or ssh://", id="ext"),
        pytest.param("http://git.example.org/a/b", Outcome.INVALID_INPUT, "https:// or ssh://", id="http"),
        pytest.param("git@git.example.org:a/b", Outcome.INVALID_INPUT, "ssh://git@host/path", id="scp"),
        pytest.param("https://u:canary-token@git.example.org/a", Outcome.INVALID_INPUT, "password", id="credentials"),
        pytest.param("file:///etc", Outcome.INVALID_INPUT, "https:// or ssh://", id="file"),
        pytest.param("https://git.invalid/a/b.git", Outcome.HOST_UNREACHABLE, "git.invalid", id="no such host"),
        pytest.param("ssh://git@git.invalid/a/b.git", Outcome.HOST_UNREACHABLE, "git.invalid", id="no such ssh host"),
    ],
)
def test_a_wrong_url_is_named(url: str, outcome: Outcome, says: str, run_extract: Extract) -> None:
    result = run_extract(f"--url={url}")

    assert (result["exit"], result["outcome"]) == (outcome.exit_code, outcome)
    assert says in str(result["message"])
    assert "canary-token" not in json.dumps(result)


def test_a_host_that_refuses_the_connection_is_unreachable(run_extract: Extract) -> None:
    with socket.socket() as taken:  # bound, but not listening
        taken.bind(("127.0.0.1", 0))
        result = run_extract(f"--url=https://127.0.0.1:{taken.getsockname()[1]}/a/b.git", "--allow-private-addresses")

    assert (result["exit"], result["outcome"]) == (68, "HostUnreachable")


def test_a_folder_that_is_no_repository_is_not_found(run_extract: Extract, tmp_path: Path) -> None:
    result = run_extract(f"--url=file://{tmp_path}", "--allow-file-urls")

    assert (result["exit"], result["outcome"]) == (66, "NotFound")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        pytest.param((), "--url", id="no url"),
        pytest.param(("--url=https://a.example/b", "--workers=0"), "from 1 to 64", id="workers"),
        pytest.param(("--url=https://a.example/b", "--timeout=soon"), "1h30m", id="timeout"),
        pytest.param(("--url=https://a.example/b", "--timeout=0s"), "longer than 0s", id="no time"),
        pytest.param(("--url=https://a.example/b", "--cheese"), "--cheese", id="unknown"),
    ],
)
def test_a_wrong_option_is_named(words: tuple[str, ...], says: str, run_extract: Extract) -> None:
    result = run_extract(*words)

    assert result["exit"] == Outcome.INVALID_INPUT.exit_code
    assert says in str(result["printed"])


@pytest.mark.parametrize(
    ("url", "outcome"),
    [
        pytest.param("postgresql://127.0.0.1:1/nothing", Outcome.WAREHOUSE_UNREACHABLE, id="nobody listens"),
        pytest.param("postgresql://nobody.invalid/x", Outcome.WAREHOUSE_UNREACHABLE, id="no such host"),
        pytest.param("mysql://x/y", Outcome.INVALID_INPUT, id="another database"),
    ],
)
def test_a_warehouse_that_cannot_be_had_is_told(url: str, outcome: Outcome, run_extract: Extract) -> None:
    result = run_extract("--url=https://git.invalid/a", url=url)

    assert (result["exit"], result["outcome"]) == (outcome.exit_code, outcome)


def test_a_wrong_password_is_an_authentication_failure(run_extract: Extract, warehouse: Any) -> None:
    url = warehouse.url("gitmart_extract")
    password = url.partition("@")[0].rpartition(":")[2]

    result = run_extract("--url=https://git.invalid/a", url=url.replace(password, "canary-password"))

    assert (result["exit"], result["outcome"]) == (77, "AuthenticationFailed")
    assert "canary-password" not in json.dumps(result)


def test_a_warehouse_without_tables_asks_for_migrate(run_extract: Extract, empty_database: Any) -> None:
    result = run_extract("--url=https://git.invalid/a", url=empty_database.url("gitmart_extract"))

    assert (result["exit"], result["outcome"]) == (78, "WarehouseNotMigrated")
    assert "gitmart migrate" in str(result["message"])


def test_no_warehouse_at_all_says_how_to_name_one(run_extract: Extract) -> None:
    result = run_extract("--url=https://git.invalid/a", GITMART_WAREHOUSE_URL="")

    assert (result["exit"], result["outcome"]) == (64, "InvalidInput")
    assert "GITMART_WAREHOUSE_URL_FILE" in str(result["message"])


def test_the_url_may_come_from_a_file(run_extract: Extract, warehouse: Any, repository: Any, tmp_path: Path) -> None:
    secret = tmp_path / "extract-url"
    secret.write_text(warehouse.url("gitmart_extract") + "\n", encoding="utf-8")
    repository.commit()

    result = run_extract(
        f"--url={repository.url}", "--allow-file-urls", GITMART_WAREHOUSE_URL="", GITMART_WAREHOUSE_URL_FILE=str(secret)
    )

    assert (result["exit"], result["outcome"], result["commits"]) == (0, "Succeeded", 1)
    assert result["url"] == repository.url


def test_a_run_that_takes_too_long_ends_by_itself(run_extract: Extract, repository: Any, warehouse: Any) -> None:
    raw = b"".join(
        b"commit refs/heads/main\ncommitter A <a> %d +0000\ndata 1\nm\nM 100644 inline file\ndata 8\n%08d\n" % (n, n)
        for n in range(1_000_000, 1_060_000)
    )
    repository.git("fast-import", "--quiet", stdin=raw)

    result = run_extract(f"--url={repository.url}", "--allow-file-urls", "--timeout=1s")

    assert (result["exit"], result["outcome"]) == (72, "Timeout")
    assert warehouse.query("select count(*) from commits") == [(0,)]
    assert warehouse.query("select count(*) from pg_tables where schemaname = 'gitmart_staging'") == [(0,)]


def test_a_full_disk_is_told_as_such(run_extract: Extract, repository: Any, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    repository.write("large", os.urandom(3 << 20))
    repository.commit()
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(small)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("this machine does not let root mount a file system")
    try:
        result = run_extract(f"--url={repository.url}", "--allow-file-urls", f"--work-dir={small}")
    finally:
        subprocess.run(["umount", str(small)], check=True)

    assert (result["exit"], result["outcome"]) == (74, "DiskFull"), result["message"]


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "10.1.2.3", "169.254.169.254", "[::1]", "[::ffff:10.0.0.1]"]
)
def test_a_private_address_is_refused_before_anything_is_sent(host: str, run_extract: Extract) -> None:
    result = run_extract(f"--url=https://{host}/a/b.git")

    assert (result["exit"], result["outcome"]) == (84, "AddressNotAllowed")
    assert "--allow-private-addresses" in str(result["message"])


def test_folders_with_signs_in_their_names_work(
    make_repository: Any, run_extract: Extract, tmp_path: Path, warehouse: Any
) -> None:
    repository = make_repository("a $HOME of 'quotes' and \"more\"; café")
    repository.commit()
    work_dir = tmp_path / "work $HOME ; é"
    work_dir.mkdir()

    result = run_extract(f"--url={repository.url}", "--allow-file-urls", f"--work-dir={work_dir}")

    assert (result["exit"], result["commits"]) == (0, 1), result
    assert warehouse.query("select name from repositories") == [("a $HOME of 'quotes' and \"more\"; café",)]
