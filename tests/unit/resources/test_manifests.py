"""Reading manifests: every mistake at once, and a clear sentence for what is no manifest."""

import io
import json
import sys
from pathlib import Path

import pytest

from gitmart.resources.documents import FILE_LIMIT
from gitmart.resources.manifests import FILES_LIMIT, ManifestError, load_manifests, read_manifests

HEAD = "apiVersion: gitmart.dev/v1alpha1\nkind: Repository\n"
GOOD = HEAD + "metadata: {name: one}\nspec: {url: 'https://git.example.org/a'}\n"


def mistakes_of(content: str | bytes, folder: Path, name: str = "file.yaml") -> list[str]:
    """Return the mistakes of one file, without its name."""
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(ManifestError) as caught:
        load_manifests([path], allow_file_urls=False)
    assert all(mistake.startswith(f"{path}: ") for mistake in caught.value.mistakes)
    return [mistake.removeprefix(f"{path}: ") for mistake in caught.value.mistakes]


def test_objects_come_in_the_order_they_were_named(tmp_path: Path) -> None:
    (tmp_path / "b.yaml").write_text(GOOD + "---\n" + GOOD.replace("one", "two") + "---\n")
    (tmp_path / "a.json").write_text(
        json.dumps(
            {
                "apiVersion": "gitmart.dev/v1alpha1",
                "kind": "DbtSchedule",
                "metadata": {"name": "three"},
                "spec": {"schedule": "@daily"},
            }
        )
    )
    (tmp_path / "notes.txt").write_text("no manifest")

    loaded = load_manifests([tmp_path], allow_file_urls=False)

    assert [(resource.kind, resource.metadata.name) for resource in loaded] == [
        ("DbtSchedule", "three"),
        ("Repository", "one"),
        ("Repository", "two"),
    ]


def test_standard_input_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(GOOD.encode())))

    (resource,) = load_manifests(["-"], allow_file_urls=False)

    assert resource.metadata.name == "one"


def test_a_list_as_kubectl_prints_it_is_read(tmp_path: Path) -> None:
    items = "\n".join(f"  {line}" for line in GOOD.splitlines())
    (tmp_path / "list.yaml").write_text(f"apiVersion: v1\nkind: List\nitems:\n-\n{items}\n")

    assert len(load_manifests([tmp_path / "list.yaml"], allow_file_urls=False)) == 1


def test_a_file_address_is_a_matter_of_permission(tmp_path: Path) -> None:
    path = tmp_path / "file.yaml"
    path.write_text(GOOD.replace("https://git.example.org/a", "file:///srv/git"))

    assert len(load_manifests([path], allow_file_urls=True)) == 1
    with pytest.raises(ManifestError, match="local mode only"):
        load_manifests([path], allow_file_urls=False)


def test_all_mistakes_of_all_files_are_told(tmp_path: Path) -> None:
    first, second = tmp_path / "1.yaml", tmp_path / "2.yaml"
    first.write_text(HEAD + "metadata: {name: one}\nspec: {url: 'http://x/a', intervall: 1h, timeout: 5}\n")
    second.write_text("kind: DbtShedule\n")

    with pytest.raises(ManifestError) as caught:
        load_manifests([first, second, tmp_path / "3.yaml"], allow_file_urls=False)

    assert caught.value.mistakes == [
        (
            f"{first}: Repository/one: spec.url: must start with https:// or ssh:// (write git@host:path as "
            "ssh://git@host/path; file:///path works in local mode only)"
        ),
        f"{first}: Repository/one: spec.timeout: must be a duration from 10s to 168h: write it like 30s, 10m or 1h30m",
        f"{first}: Repository/one: spec.intervall: is no field; did you mean interval?",
        f"{second}: DbtShedule/(document 1): apiVersion: is required; write gitmart.dev/v1alpha1",
        (
            f"{second}: DbtShedule/(document 1): kind: 'DbtShedule' is not known to gitmart.dev; "
            "write Repository, DbtSchedule or ConfigMap"
        ),
        f"{tmp_path / '3.yaml'}: cannot be read: No such file or directory",
    ]


@pytest.mark.parametrize(
    ("field", "sentence"),
    [
        ("suspend: 'no'", "spec.suspend: must be true or false, without quotes"),
        ("branches: {include: main}", "spec.branches.include: must be a list"),
        ("branches: {includes: [main]}", "spec.branches.includes: is no field; did you mean include?"),
        ("branches: {x: 1}", "spec.branches.x: is no field; allowed are exclude, include"),
        ("resources: 5", "spec.resources: must be a mapping of fields"),
        ("warehouse_ref: {}", "spec.warehouse_ref: is no field; did you mean warehouseRef?"),
        ("schedule: 2026-01-01", "spec.schedule: must be a text; put it in quotes"),
    ],
)
def test_a_mistake_names_the_field_and_what_is_allowed(field: str, sentence: str, tmp_path: Path) -> None:
    assert mistakes_of(GOOD.replace("}\n", "}\n", 1).replace("/a'}", f"/a', {field}}}"), tmp_path) == [
        f"Repository/one: {sentence}"
    ]


def test_a_misspelt_field_of_metadata_is_found(tmp_path: Path) -> None:
    assert mistakes_of(GOOD.replace("{name: one}", "{name: one, lables: {}}"), tmp_path) == [
        "Repository/one: metadata.lables: is no field; did you mean labels?"
    ]


def test_a_wrong_version_hides_no_other_mistake(tmp_path: Path) -> None:
    mistakes = mistakes_of(GOOD.replace("v1alpha1", "v1").replace("https", "http"), tmp_path)

    assert [mistake.split(": ")[1] for mistake in mistakes] == ["apiVersion", "spec.url"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param("", "holds no manifest: it is empty", id="empty"),
        pytest.param("---\n---\n# nothing\n", "holds no manifest: it is empty", id="only separators"),
        pytest.param(b"\x89PNG\r\n\x1a\n\xff", "is no text", id="binary"),
        pytest.param(b"a: b\0", "is no text", id="NUL"),
        pytest.param("<!DOCTYPE html><html></html>", "is an HTML or XML page", id="HTML"),
        pytest.param("- a\n- b\n", "document 1 is a list, not a manifest", id="a list"),
        pytest.param("hello", "document 1 is a plain value, not a manifest", id="a word"),
        pytest.param("a: [1\nb: 2\n", "is no YAML: line 2", id="syntax"),
        pytest.param("schedule: * * * * *\n", "needs quotes", id="unquoted schedule"),
        pytest.param("schedule: @daily\n", "needs quotes", id="unquoted macro"),
        pytest.param("a: 1\na: 2\n", "line 2 has the field 'a' a second time", id="a field twice"),
        pytest.param("a: 2026-13-45\n", "holds a value that cannot be read", id="no date"),
        pytest.param("a: !!python/object:os.system x\n", "is no YAML", id="a Python object"),
        pytest.param("[" * 100_000, "is nested too deeply", id="deep"),
        pytest.param("a: &a [*a]\n", "an anchor that contains itself", id="recursive anchor"),
        pytest.param(b"#" * (FILE_LIMIT + 1), "is larger than 1024 KiB", id="large"),
        pytest.param(
            "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{f'*a{n - 1}, ' * 10}]\n" for n in range(1, 30)),
            "stands for more than",
            id="anchors that grow",
        ),
        pytest.param(
            "a0: &a0 {k: v}\n" + "".join(f"a{n}: &a{n} {{<<: [{f'*a{n - 1}, ' * 10}]}}\n" for n in range(1, 30)),
            "stands for more than",
            id="merges that grow",
        ),
    ],
)
def test_a_file_that_is_no_manifest_gets_a_clear_sentence(content: str | bytes, words: str, tmp_path: Path) -> None:
    (mistake,) = mistakes_of(content, tmp_path)

    assert words in mistake


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('{"a": 1, "a": 2}', "has the field 'a' twice"),
        ('{"a": }', "is no JSON: line 1"),
        ("[" * 100_000, "is nested too deeply"),
    ],
)
def test_json_gets_the_same_care(content: str, words: str, tmp_path: Path) -> None:
    (mistake,) = mistakes_of(content, tmp_path, "file.json")

    assert words in mistake


def test_an_object_stands_in_one_place_only(tmp_path: Path) -> None:
    first, second = tmp_path / "1.yaml", tmp_path / "2.yaml"
    first.write_text(GOOD)
    second.write_text(GOOD + "---\n" + GOOD.replace("name: one", "name: one, namespace: other"))

    with pytest.raises(ManifestError) as caught:
        load_manifests([first, second], allow_file_urls=False)

    assert caught.value.mistakes == [
        f"{second}: Repository/one: stands in {first} already: name each object once",
    ]


def test_an_empty_folder_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="a folder is searched for"):
        load_manifests([tmp_path], allow_file_urls=False)


def test_the_number_of_files_is_bounded(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=f"at most {FILES_LIMIT}"):
        load_manifests([tmp_path / "x"] * (FILES_LIMIT + 1), allow_file_urls=False)


def test_a_name_cannot_forge_a_line_of_the_report(tmp_path: Path) -> None:
    (mistake,) = mistakes_of(GOOD.replace("name: one", 'name: "one\\n2.yaml: fine"'), tmp_path)

    assert "\n" not in mistake


CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: " + "a" * 60 + ", labels: {a: b}}\n"


def test_config_maps_stand_beside_resources(tmp_path: Path) -> None:
    path = tmp_path / "both.yaml"
    path.write_text(f"{GOOD}---\n{CONFIG_MAP}data: {{a: x}}\nbinaryData: {{b: /w==}}\nimmutable: true\n")

    found = read_manifests([path], allow_file_urls=False)

    (config_map,) = found.config_maps
    assert len(found.resources) == 1
    assert (config_map.metadata.namespace, config_map.metadata.name) == ("default", "a" * 60)
    assert [config_map.content(key) for key in "abc"] == [b"x", b"\xff", None]


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("data: {a: 1}", "data.a: must be a text; put it in quotes"),
        ("data: []", "data: must be a mapping of fields"),
        ("binaryData: {a: '*'}", "binaryData: the value of 'a' must be base64"),
        ("dta: {}", "dta: is no field; did you mean data?"),
    ],
)
def test_a_wrong_config_map_is_told(text: str, mistake: str, tmp_path: Path) -> None:
    path = tmp_path / "people.yaml"
    path.write_text(f"{CONFIG_MAP}{text}\n")

    with pytest.raises(ManifestError) as caught:
        read_manifests([path], allow_file_urls=False)

    assert caught.value.mistakes == [f"{path}: ConfigMap/{'a' * 60}: {mistake}"]


def test_a_config_map_has_the_version_of_kubernetes(tmp_path: Path) -> None:
    path = tmp_path / "people.yaml"
    path.write_text(CONFIG_MAP.replace("v1", "gitmart.dev/v1alpha1"))

    with pytest.raises(ManifestError, match=r"is not known to gitmart\.dev; write v1"):
        read_manifests([path], allow_file_urls=False)
