"""The table of good and bad manifests (tests/cluster/manifest_table.py), read as `gitmart local` reads them."""

from pathlib import Path

import pytest
from tests.cluster.manifest_table import TABLE, Row, Verdict

from gitmart.resources.manifests import ManifestError, load_manifests


def mistakes_of(row: Row, folder: Path) -> list[str]:
    """Return what local mode says against a manifest."""
    file = folder / f"{row.name}.yaml"
    file.write_text(row.text)
    try:
        load_manifests([file], allow_file_urls=False)
    except ManifestError as error:
        return error.mistakes
    return []


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
def test_local_mode_gives_the_verdict_of_the_table(row: Row, tmp_path: Path) -> None:
    mistakes = mistakes_of(row, tmp_path)

    if row.verdict is Verdict.GOOD:
        assert not mistakes
    else:
        assert [each for each in mistakes if row.field in each and row.words in each], mistakes


def test_the_table_is_worth_its_name() -> None:
    assert len({row.name for row in TABLE}) == len(TABLE) >= 60
    assert {row.verdict for row in TABLE} == set(Verdict)
