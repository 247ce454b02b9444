"""
A dbt project of the user's on top of gitmart's own, made one with it.

gitmart's project stays the root: its flags, its macros and what it guarantees hold, and its profile is the only one.
The user's is put where dbt looks for installed packages, with what it has vendored beside it. dbt loads every folder
there, so nothing is installed and nobody is called.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from gitmart.contract.outcomes import Outcome
from gitmart.transform.settings import PROJECT_FILE, Extra, Settings
from gitmart.warehouse.errors import WarehouseError

PACKAGES = "dbt_packages"  # dbt's default, and so gitmart's
OWN = "gitmart"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PACKAGE_FILES = ("packages.yml", "dependencies.yml")
_LOCK_FILE = "package-lock.yml"
# Files at the root of a project that dbt knows by these names; other YAML there is none of its business.
_OF_ROOT = frozenset({PROJECT_FILE, *_PACKAGE_FILES, _LOCK_FILE, "selectors.yml", "profiles.yml", "dbt_cloud.yml"})
_NO_MODELS = frozenset({"target", "logs", "venv", "node_modules"})
# Where loose files belong: the setting of dbt_project.yml that names the folders, and dbt's default.
_PLACES = {
    ".sql": ("model-paths", "models"),
    ".yml": ("model-paths", "models"),
    ".yaml": ("model-paths", "models"),
    ".md": ("model-paths", "models"),
    ".csv": ("seed-paths", "seeds"),
}
# What readers may read and failing tests leave, unless the project says it itself: (kind of node, setting, value).
_READERS = {"select": ["{{ env_var('GITMART_DBT_READER', 'gitmart_read') }}"]}
_DEFAULTS: tuple[tuple[str, str, object], ...] = (
    ("models", "grants", _READERS),
    ("seeds", "grants", _READERS),
    ("snapshots", "grants", _READERS),
    ("data_tests", "schema", "test_failures"),
)


class ExtraProjectError(WarehouseError):
    """The user's project cannot be put beside gitmart's. The text says what is wrong with it."""

    def __init__(self, message: str, outcome: Outcome = Outcome.PROJECT_ERROR) -> None:
        super().__init__(message)
        self.outcome = outcome


def joined(settings: Settings, extra: Extra, folder: Path) -> Settings:
    """
    Return the settings for both projects as one, which is written into `folder`.

    Raise ExtraProjectError: SecretMissing when nothing is there, ProjectError when it cannot stand beside gitmart's.
    """
    root = folder / "project"
    shutil.rmtree(root, ignore_errors=True)
    _copy(settings.project_dir, root, leave_out=_NO_MODELS)
    _check_presence(extra)
    told = _project_file(extra)
    vendored = _inside(told.get("packages-install-path", PACKAGES), "packages-install-path", extra)
    name = _name(told, extra.source)
    if name in {OWN, _name_of(root)}:
        raise ExtraProjectError(
            f"{PROJECT_FILE} of {extra.source} has the name {name}, which is gitmart's: choose another"
        )
    theirs = root / PACKAGES / name
    _copy(extra.folder, theirs, leave_out={*_NO_MODELS, PurePosixPath(vendored).parts[0]})
    if extra.loose:
        _arrange(theirs, told, extra)
    (theirs / PROJECT_FILE).write_text(yaml.safe_dump(_with_defaults(told, name), sort_keys=False), encoding="utf-8")
    _place_vendored(extra, extra.folder / vendored, root / PACKAGES)
    if (selectors := theirs / "selectors.yml").is_file():  # dbt reads those of the root alone
        shutil.copyfile(selectors, root / "selectors.yml")
    # dbt refuses to start unless as many packages are named as are there; a local one is never downloaded.
    (root / _LOCK_FILE).unlink(missing_ok=True)
    packages = sorted(path.name for path in (root / PACKAGES).iterdir())
    named = {"packages": [{"local": f"{PACKAGES}/{package}"} for package in packages]}
    (root / "packages.yml").write_text(yaml.safe_dump(named), encoding="utf-8")
    return replace(settings, project_dir=root)


def _check_presence(extra: Extra) -> None:
    if not extra.folder.is_dir() or not any(not each.name.startswith(".") for each in extra.folder.iterdir()):
        keys = ", or has none of the keys that spec.project.configMap.items names" if extra.files else ""
        outcome = Outcome.SECRET_MISSING if extra.loose else Outcome.PROJECT_ERROR
        raise ExtraProjectError(f"{extra.source} is missing or empty{keys}: it must hold the dbt project", outcome)
    if missing := [file for file in extra.files if not (extra.folder / file).is_file()]:
        raise ExtraProjectError(
            f"{extra.source} lacks what spec.project.configMap.items names for {', '.join(missing)}",
            Outcome.SECRET_MISSING,
        )
    if not extra.loose and not (extra.folder / PROJECT_FILE).is_file():
        raise ExtraProjectError(f"{extra.source} has no {PROJECT_FILE}: it must be the folder of a dbt project")


def _project_file(extra: Extra) -> dict[str, Any]:
    """Return what dbt_project.yml says; of loose files without one what a new project would say."""
    file = extra.folder / PROJECT_FILE
    if extra.loose and not file.is_file():
        name = re.sub("[^a-z0-9_]", "_", extra.folder.name.lower())
        name = name if _NAME.fullmatch(name) and name != OWN else f"project_{name}"
        return {"name": name, "version": "1.0.0", "config-version": 2}
    return _mapping(file, f"{PROJECT_FILE} of {extra.source}")


def _mapping(file: Path, what: str) -> dict[str, Any]:
    try:
        found = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        words = " ".join(str(error).split())
        raise ExtraProjectError(f"{what} is not valid YAML: {words}") from None
    if not isinstance(found, dict):
        raise ExtraProjectError(f"{what} must be a mapping")
    return found


def _name_of(root: Path) -> str:
    return str(_mapping(root / PROJECT_FILE, f"{PROJECT_FILE} of gitmart's project").get("name"))


def _name(told: Mapping[str, Any], source: str) -> str:
    name = told.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ExtraProjectError(
            f"{PROJECT_FILE} of {source} has the name {name!r}: it must hold letters, digits and _, no digit in front"
        )
    return name


def _inside(path: object, setting: str, extra: Extra) -> str:
    """Return a path that leads to a folder below the project's."""
    if not isinstance(path, str) or not path.strip("./") or {"..", "/"} & set(PurePosixPath(path).parts):
        raise ExtraProjectError(f"{setting} in {PROJECT_FILE} of {extra.source} must be a folder inside the project")
    return path


def _copy(source: Path, target: Path, *, leave_out: Iterable[str]) -> None:
    """Copy a project without what is hidden, nor the folders at its root that hold no part of it."""
    left_out = frozenset(leave_out)

    def ignored(folder: str, names: list[str]) -> list[str]:
        at_root = Path(folder) == source
        return [
            name for name in names if name.startswith(".") or name == "__pycache__" or (at_root and name in left_out)
        ]

    try:
        shutil.copytree(source, target, ignore=ignored, copy_function=shutil.copyfile)
    except (shutil.Error, OSError) as error:
        raise ExtraProjectError(f"{source} cannot be copied: {error}") from None


def _arrange(folder: Path, told: Mapping[str, Any], extra: Extra) -> None:
    """Put loose files where dbt looks for what ends as they do."""
    for file in sorted(path for path in folder.iterdir() if path.is_file() and path.name not in _OF_ROOT):
        setting, default = _PLACES.get(file.suffix, ("", ""))
        if setting:
            paths = told.get(setting)
            place = folder / _inside(paths[0] if isinstance(paths, list) and paths else default, setting, extra)
            place.mkdir(parents=True, exist_ok=True)
            file.rename(place / file.name)


def _with_defaults(told: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return dbt_project.yml with what gitmart wants of all nodes, below whatever it says itself."""
    found = {**told, "name": name}
    for new, setting, value in _DEFAULTS:
        # dbt reads the former word for data tests only where the present one is not there.
        kind = "tests" if new == "data_tests" and "tests" in found and new not in found else new
        settings = found.get(kind)
        settings = {} if settings is None else settings
        if isinstance(settings, dict) and not settings.keys() & {setting, f"+{setting}", f"++{setting}"}:
            found[kind] = {f"+{setting}": value, **settings}
    return found


def _place_vendored(extra: Extra, vendored: Path, target: Path) -> None:
    """Put the packages that the project brings beside it; raise ExtraProjectError when it lacks one that it names."""
    names = set()
    for folder in sorted(vendored.iterdir()) if vendored.is_dir() else ():
        if not (folder / PROJECT_FILE).is_file():
            continue
        source = f"package {folder.name} in {extra.source}"
        name = _name(_mapping(folder / PROJECT_FILE, f"{PROJECT_FILE} of {source}"), source)
        names |= {folder.name, name}
        if name != OWN:  # the very project that it is put upon
            if (target / name).exists():
                raise ExtraProjectError(f"{extra.source} brings a package {name}, which is there already")
            _copy(folder, target / name, leave_out=_NO_MODELS)
    if missing := sorted(_named_packages(extra.folder) - names - {OWN}):
        raise ExtraProjectError(
            f"{extra.source} lacks the packages {', '.join(missing)}: nothing is downloaded here, so run `dbt deps` and "
            f"put the folder {vendored.relative_to(extra.folder)} with them into the project"
        )


def _named_packages(folder: Path) -> set[str]:
    """Return the packages that a project is known to need, by name: as it was locked, else as far as it names them."""
    lock = folder / _LOCK_FILE
    if lock.is_file():
        return {str(each["name"]) for each in _entries(lock) if "name" in each}
    files = (folder / name for name in _PACKAGE_FILES)
    entries = [each for file in files if file.is_file() for each in _entries(file)]
    hub = {str(each["package"]).rpartition("/")[2] for each in entries if "package" in each}
    return hub | {str(each["name"]) for each in entries if "tarball" in each and "name" in each}


def _entries(file: Path) -> list[dict[str, Any]]:
    found = _mapping(file, file.name).get("packages") or []
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []
