"""A host that speaks HTTPS: a clone, and each way in which a host refuses one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gitmart.contract.outcomes import Outcome
from gitmart.contract.repository_url import parse_repository_url
from gitmart.extract.errors import ExtractError
from gitmart.extract.progress import Lines
from gitmart.extract.run import extract
from gitmart.extract.settings import Remote, Settings
from gitmart.extract.work import Run


@pytest.fixture
def run(warehouse: Any, tmp_path: Path) -> Callable[..., int]:
    """Extract an address and return the number of commits."""

    def run(url: str, *, allow_private: bool = True) -> int:
        work_dir = tmp_path / "work"
        work_dir.mkdir()
        settings = Settings(
            Remote(parse_repository_url(url, allow_file=False), allow_private_addresses=allow_private),
            warehouse.url("gitmart_extract"),
            work_dir,
        )
        return extract(Run(settings, Lines())).commits

    return run


def test_a_repository_is_read_over_https(host: Any, run: Callable[..., int], repository: Any) -> None:
    repository.write("file", "x\n")
    repository.commit()
    repository.commit()

    assert run(host.add(repository)) == 2


@pytest.mark.parametrize(
    ("path", "outcome"),
    [
        pytest.param("moved", Outcome.MOVED, id="redirect"),
        pytest.param("private", Outcome.AUTHENTICATION_FAILED, id="credentials wanted"),
        pytest.param("nothing", Outcome.NOT_FOUND, id="not there"),
        pytest.param("broken", Outcome.HOST_UNREACHABLE, id="out of order"),
    ],
)
def test_each_refusal_has_its_outcome(path: str, outcome: Outcome, host: Any, run: Callable[..., int]) -> None:
    with pytest.raises(ExtractError) as failure:
        run(f"{host.url}/{path}")

    assert failure.value.outcome is outcome, str(failure.value)
    assert {asked.split("/")[1] for asked in host.asked} == {path}  # a redirect was not followed


def test_a_certificate_that_is_not_trusted_ends_the_run(
    host: Any, run: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")

    with pytest.raises(ExtractError) as failure:
        run(f"{host.url}/project.git")

    assert failure.value.outcome is Outcome.HOST_UNREACHABLE
    assert host.asked == []


def test_a_private_address_gets_no_request(host: Any, run: Callable[..., int]) -> None:
    with pytest.raises(ExtractError, match="not a public address"):
        run(f"{host.url}/project.git", allow_private=False)

    assert host.asked == []
