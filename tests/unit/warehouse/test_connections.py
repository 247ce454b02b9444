"""Where the connection URL comes from, and what is said when it does not come."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitmart.contract.outcomes import Outcome
from gitmart.warehouse.connections import connect, warehouse_url
from gitmart.warehouse.errors import MissingSecretError, SettingError, UnreachableError

WORDS = "key extract-url of Secret gitmart-warehouse in namespace default"
URL = "postgresql://user:canary@host:5432/base"


@pytest.mark.parametrize("content", [None, "", " \n"], ids=["no file", "empty", "blank"])
@pytest.mark.parametrize("named", [True, False], ids=["with a name", "without"])
def test_a_secret_that_is_not_there_is_told_in_the_words_people_know(
    content: str | None, named: bool, tmp_path: Path
) -> None:
    file = tmp_path / "extract-url"
    if content is not None:
        file.write_text(content, encoding="utf-8")
    environment = {"GITMART_WAREHOUSE_URL_FILE": str(file)}
    if named:
        environment["GITMART_WAREHOUSE_URL_SOURCE"] = WORDS

    with pytest.raises(MissingSecretError, match="postgresql://user:password@host") as failure:
        warehouse_url(environment)

    assert failure.value.outcome is Outcome.SECRET_MISSING
    assert str(failure.value).startswith(
        f"{WORDS if named else f'the file named by GITMART_WAREHOUSE_URL_FILE ({file})'} is missing"
    )


@pytest.mark.parametrize(
    "content", [b"mysql://user:canary@host/base", b"canary \xff"], ids=["another database", "no text"]
)  # fmt: skip
def test_a_secret_that_holds_something_else_is_tried_again(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "extract-url"
    file.write_bytes(content)

    with pytest.raises(SettingError, match=f"{WORDS} is not a connection URL") as failure:
        warehouse_url({"GITMART_WAREHOUSE_URL_FILE": str(file), "GITMART_WAREHOUSE_URL_SOURCE": WORDS})

    assert failure.value.outcome is Outcome.SECRET_INVALID
    assert "canary" not in str(failure.value)


def test_the_file_is_read_without_its_line_feed(tmp_path: Path) -> None:
    (tmp_path / "url").write_text(URL + "\n", encoding="utf-8")

    assert warehouse_url({"GITMART_WAREHOUSE_URL_FILE": str(tmp_path / "url")}) == URL


def test_a_folder_instead_of_a_file_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="cannot be read"):
        warehouse_url({"GITMART_WAREHOUSE_URL_FILE": str(tmp_path)})


def test_a_server_that_is_not_there_is_told_in_one_line() -> None:
    with pytest.raises(UnreachableError, match="port 1 failed: Connection refused Is the server running") as failure:
        connect("postgresql://someone@127.0.0.1:1/base", application_name="test")

    assert "\n" not in str(failure.value)
