"""Rules of the dbt project, read off its manifest: what dbt itself does not insist on."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

PROJECT = Path(__file__).parents[3] / "dbt"
LAYERS = {"staging": ("stg_",), "intermediate": ("int_",), "marts": ("fct_", "dim_"), "bi": ("bi_",)}
SUMMARIES = {"repository_summary", "contributor_summary"}
MOST_JOINS = 7
MOST_STAGING_MODELS_PER_SOURCE = {
    "commits": 4,
    "commit_trailers": 3,
    "contributors": 2,
    "removed_commits": 3,
    "repositories": 2,
}  # others: 1


@pytest.fixture(scope="session")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The manifest of the project, parsed with every deprecation an error, also those dbt keeps from PostgreSQL."""
    from dbt.cli.main import dbtRunner
    from dbt.jsonschemas import jsonschemas

    folder = str(tmp_path_factory.mktemp("dbt"))
    with pytest.MonkeyPatch.context() as patch:
        for variable in [name for name in os.environ if name.startswith(("DBT_", "GITMART_DBT_"))]:
            patch.delenv(variable)
        patch.setenv("DO_NOT_TRACK", "1")
        checked = jsonschemas._JSONSCHEMA_SUPPORTED_ADAPTERS
        patch.setattr(jsonschemas, "_JSONSCHEMA_SUPPORTED_ADAPTERS", {*checked, "postgres"})
        parsed = dbtRunner().invoke([
            "parse", "--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT), "--target-path", folder,
            "--log-path", folder, "--log-level", "none", "--no-partial-parse", "--show-all-deprecations",
            "--warn-error",
        ])  # fmt: skip
        assert parsed.success, parsed.exception
    result: dict[str, Any] = parsed.result.to_dict()
    return result


@pytest.fixture(scope="session")
def models(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    return [node for node in manifest["nodes"].values() if node["resource_type"] == "model"]


def layer(model: dict[str, Any]) -> str:
    folders: list[str] = model["fqn"][1:-1]
    return folders[-1]


def parents(model: dict[str, Any], kind: str) -> list[str]:
    return [name for name in model["depends_on"]["nodes"] if name.startswith(f"{kind}.")]


def _built_before(model: dict[str, Any], manifest: dict[str, Any]) -> set[str]:
    before: set[str] = set()
    waiting = [model["unique_id"]]
    while waiting:
        found = set(parents(manifest["nodes"][waiting.pop()], "model")) - before
        before |= found
        waiting += found
    return {manifest["nodes"][name]["name"] for name in before}


def test_every_layer_has_models(models: list[dict[str, Any]]) -> None:
    assert Counter(map(layer, models)) == {"staging": 13, "intermediate": 10, "marts": 17, "bi": 9}


def test_names_tell_the_layer(models: list[dict[str, Any]]) -> None:
    wrong = [m["name"] for m in models if not m["name"].startswith(LAYERS[layer(m)]) and m["name"] not in SUMMARIES]

    assert wrong == []


def test_every_table_has_a_test_of_its_key(manifest: dict[str, Any], models: list[dict[str, Any]]) -> None:
    """Views for BI have the rows of a mart, which tests that they do not need in every build show."""
    tested = {
        node["attached_node"]
        for node in manifest["nodes"].values()
        if node["resource_type"] == "test" and (node.get("test_metadata") or {}).get("name") == "unique_combination"
    }

    assert {m["unique_id"] for m in models if layer(m) != "bi"} - tested == set()


def test_every_source_has_freshness(manifest: dict[str, Any]) -> None:
    stale_after = {
        source["name"]: (source["freshness"]["warn_after"]["count"], source["freshness"]["error_after"]["count"])
        for source in manifest["sources"].values()
    }

    assert set(stale_after.values()) == {(12, 24)}
    assert all(source["loaded_at_query"] for source in manifest["sources"].values())


def test_every_source_is_read(manifest: dict[str, Any], models: list[dict[str, Any]]) -> None:
    read = {source for node in manifest["nodes"].values() for source in parents(node, "source")}

    assert set(manifest["sources"]) - read == set()


def test_only_staging_reads_sources(models: list[dict[str, Any]]) -> None:
    wrong = [m["name"] for m in models if bool(parents(m, "source")) != (layer(m) == "staging")]

    assert wrong == []


def test_staging_reads_only_sources(models: list[dict[str, Any]]) -> None:
    assert [m["name"] for m in models if layer(m) == "staging" and parents(m, "model")] == []


def test_only_the_fact_reads_the_commits(models: list[dict[str, Any]]) -> None:
    """
    So that one build sees one state of the raw tables, whatever else is extracted meanwhile.

    Their files may be read later, of those commits that are still in the state that the fact has them in.
    """
    readers = {
        view: {m["name"] for m in models if f"model.gitmart.{view}" in m["depends_on"]["nodes"]}
        for view in ("stg_commits", "stg_commit_files")
    }

    assert set(map(frozenset, readers.values())) == {frozenset({"fct_commits", "fct_file_changes"})}
    [later] = [m["raw_code"] for m in models if m["name"] == "fct_file_changes"]
    joined = " ".join(later.split())
    assert "from {{ ref('stg_commits') }}" not in joined
    same = "changed.commit_id = present.commit_id and changed.changed_run = present.changed_run"
    assert f"{{% set same = '{same}' %}}" in joined
    readings = (
        "{{ looked_up('changed', ref('stg_commits'), 'present', same) }}",
        "inner join {{ ref('stg_commits') }} as present on {{ same }}",
    )
    assert [joined.count(reading) for reading in readings] == [1, 1]
    assert (joined.count("stg_commits"), joined.count("stg_commit_files")) == (2, 1)
    assert joined.count("selected.commit_id = files.commit_id") == 2


def test_dimensions_are_built_after_the_commits(manifest: dict[str, Any], models: list[dict[str, Any]]) -> None:
    """Whoever and whatever the commits name is in the dimensions: those are read later."""
    early = [
        m["name"] for m in models if m["name"].startswith("dim_") and "fct_commits" not in _built_before(m, manifest)
    ]

    assert early == []


def test_a_source_feeds_few_staging_models(models: list[dict[str, Any]]) -> None:
    fan_out = Counter(source.rsplit(".", 1)[1] for m in models for source in set(parents(m, "source")))

    assert {name: n for name, n in fan_out.items() if n > MOST_STAGING_MODELS_PER_SOURCE.get(name, 1)} == {}


def test_no_view_hangs_on_what_a_build_replaces(models: list[dict[str, Any]]) -> None:
    """PostgreSQL drops a view with what it reads, unless that is bound late."""
    views = [m for m in models if m["config"]["materialized"] == "view"]
    late = [m for m in models if m["config"]["materialized"] == "late_binding_view"]

    assert {m["name"] for m in views if parents(m, "model")} == set()
    assert {layer(m) for m in views} == {"staging"}
    assert {m["name"] for m in late} == {m["name"] for m in models if layer(m) == "bi"}


def test_views_for_bi_read_what_the_reader_may_read(manifest: dict[str, Any], models: list[dict[str, Any]]) -> None:
    """Their rows are looked up by whoever asks."""
    for view in (m for m in models if layer(m) == "bi"):
        assert {layer(manifest["nodes"][name]) for name in parents(view, "model")} <= {"marts", "bi"}, view["name"]


def test_the_page_on_bi_tells_of_every_view(models: list[dict[str, Any]]) -> None:
    page = (PROJECT.parent / "docs" / "bi.md").read_text(encoding="utf-8")

    for view in (m for m in models if layer(m) == "bi"):
        assert f"| `{view['name']}` | {view['description']} |" in page


def test_models_refer_to_tables_by_ref_alone(models: list[dict[str, Any]]) -> None:
    hard_coded = [
        m["name"] for m in models
        if any(f" {schema}." in m["raw_code"].lower() for schema in ("analytics", "public", "analytics_staging"))
    ]  # fmt: skip

    assert hard_coded == []


def test_no_model_joins_too_much(models: list[dict[str, Any]]) -> None:
    assert [m["name"] for m in models if m["raw_code"].lower().count(" join ") > MOST_JOINS] == []


def test_every_model_and_column_is_described(models: list[dict[str, Any]]) -> None:
    undescribed = [m["name"] for m in models if not m["description"]]
    undescribed += [
        f"{m['name']}.{column['name']}"
        for m in models
        for column in m["columns"].values()
        if not column["description"].strip()
    ]

    assert undescribed == []
    assert [m["name"] for m in models if not m["columns"]] == []


def test_marts_are_public_and_contracted(models: list[dict[str, Any]]) -> None:
    for mart in (m for m in models if layer(m) in ("marts", "bi")):
        assert mart["access"] == "public", mart["name"]
        assert mart["group"] == "gitmart", mart["name"]
        assert mart["contract"]["enforced"], mart["name"]
        keys = ["primary_key"] if layer(mart) == "marts" else []
        assert [c["type"] for c in mart["constraints"]] == keys, mart["name"]
        assert mart["config"]["grants"] == {"select": ["gitmart_read"]}, mart["name"]
        assert all(column["data_type"] for column in mart["columns"].values()), mart["name"]


def test_inner_layers_are_not_public(models: list[dict[str, Any]]) -> None:
    assert {m["access"] for m in models if layer(m) not in ("marts", "bi")} == {"protected"}


def test_schemas_are_the_target_and_the_layer(models: list[dict[str, Any]]) -> None:
    schemas = {layer(m): m["schema"] for m in models}

    assert schemas == {
        "staging": "analytics_staging",
        "intermediate": "analytics_intermediate",
        "marts": "analytics",
        "bi": "analytics",
    }


def test_what_is_incremental_replaces_rows_or_whole_repositories(models: list[dict[str, Any]]) -> None:
    incremental = {m["name"]: m["config"] for m in models if m["config"]["materialized"] == "incremental"}
    replacing = {name: config["unique_key"] for name, config in incremental.items() if config["unique_key"] is not None}
    by_repository = {
        name
        for name, config in incremental.items()
        if [hook["sql"] for hook in config["pre-hook"]] == ["{{ delete_outdated_repositories() }}"]
    }
    remembering = {
        name for name, config in incremental.items() if [hook["sql"] for hook in config["post-hook"]][-2:] == [
            "{{ forget_built_repositories() }}", "{{ remember_built_repositories() }}"
        ]
    }  # fmt: skip

    assert replacing == {
        "fct_commits": ["repository_id", "commit_hash"],
        "fct_contributions": ["repository_id", "commit_hash"],
        "fct_file_changes": ["repository_id", "commit_id"],
        "fct_daily_activity": ["repository_id", "date_kind", "activity_day"],
    }
    assert set(incremental) - set(replacing) == by_repository | {"int_built_repositories"}
    assert remembering == by_repository | {"fct_contributions", "fct_daily_activity", "fct_file_changes"}


def test_exposures_read_marts(manifest: dict[str, Any], models: list[dict[str, Any]]) -> None:
    marts = {m["unique_id"] for m in models if layer(m) == "marts"}

    assert manifest["exposures"]
    for exposure in manifest["exposures"].values():
        assert set(exposure["depends_on"]["nodes"]) <= marts


def test_no_package_is_needed() -> None:
    assert [name for name in ("packages.yml", "dependencies.yml") if (PROJECT / name).exists()] == []


def test_the_profile_holds_no_secret() -> None:
    outputs = yaml.safe_load((PROJECT / "profiles.yml").read_text(encoding="utf-8"))["gitmart"]["outputs"]

    assert set(outputs) == {"dev", "prod"}
    for name, output in outputs.items():
        for setting in ("host", "port", "user", "password", "dbname", "schema", "threads"):
            assert output[setting].startswith("{{ env_var("), f"{name}.{setting}"
        assert "DBT_ENV_SECRET_PASSWORD" in output["password"]
        assert ", '" not in outputs["prod"]["password"]  # no default


@pytest.mark.parametrize("mart", sorted(p.stem for p in (PROJECT / "models" / "marts").glob("*.sql")))
def test_the_page_on_marts_says_what_the_models_say(models: list[dict[str, Any]], mart: str) -> None:
    page = (PROJECT.parent / "docs" / "marts.md").read_text(encoding="utf-8")
    section = page.split(f"\n## {mart}\n")[1].split("\n## ")[0]
    model = next(m for m in models if m["name"] == mart)

    documented = [line for line in section.splitlines() if line.startswith("| `")]
    columns = model["columns"].values()
    assert documented == [f"| `{c['name']}` | {c['data_type']} | {c['description']} |" for c in columns]
    assert model["description"] in section
