"""
What dbt imports and a run never uses: left out, for a pod that asks for little memory.

dbt's own imports take two thirds of the process's memory. Left out are, in MiB of resident memory:

- 12: graph algorithms beyond the four that dbt calls. networkx offers no other way to leave them out.
- 9: an SQL parser, for a format of semantic models that is looked at in folders named so in a project.
- 9: the HTTP client. Nothing may go over the network anyhow, and so nothing can.
- 10: a second Python, started to look after locks that processes could share; dbt has threads alone.
- 4: how the languages of the world write numbers, read to learn that English has a decimal point.
- 7, and an eighth of the CPU: a class made for each default value, to describe it in schemas whose only use is
  to validate, which never looks at defaults.
- 4: writing what the next process would parse faster from, where no next process can see it.
- 2: charts, which the tables of dbt's results could draw.
- A twelfth of a build's CPU: how people write dates, compiled anew for each such table, in which dates are dates.
- A thirtieth of it, and more of a small project's: the source of all functions under way, read for each flag to learn
  which module has set it up.
- As much as the dates: a copy of all names that a template knows for each option of a test, made to look up a few of them.

Everything here fails with a sentence when it is needed after all, and tests hold it against dbt's code.
"""

from __future__ import annotations

import gc
import importlib
import importlib.util
import linecache
import sys
import threading
from collections.abc import Mapping
from dataclasses import MISSING
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, ClassVar, NoReturn

# The packages of networkx whose own __init__ waits until somebody asks for more than dbt does, and
# the modules in them with what dbt calls.
_NETWORKX = ("generators", "readwrite", "algorithms", "linalg", "drawing")
_CALLED = ("generators.classic", "algorithms.components", "algorithms.cycles", "algorithms.dag", "algorithms.traversal")
_SEMANTIC_CONVERTER = "metricflow.converters.osi_to_msi"


def leave_out() -> None:
    """Prepare this process for importing dbt. Call it once, before dbt is imported."""
    sys.modules["requests"] = _no_http()
    sys.modules[_SEMANTIC_CONVERTER] = _deferred_converter()
    sys.modules["leather"] = _deferred("leather")
    _trim_networkx()
    vars(importlib.import_module("dbt.mp_context")).update(_MP_CONTEXT=threading)


def lighten(*, keeps_parse: bool) -> None:
    """Change what can only be changed after dbt is imported. `keeps_parse`: another process may read dbt's files."""
    from dbt.parser.manifest import ManifestLoader
    from dbt_common.behavior_flags import BehaviorFlagRendered
    from dbt_common.clients.jinja import MacroFuzzTemplate, NativeSandboxTemplate
    from parsedatetime import VERSION_CONTEXT_STYLE

    NativeSandboxTemplate.new_context = MacroFuzzTemplate.new_context  # dbt's own for other templates; copies nothing
    vars(importlib.import_module("agate.data_types.number")).update(Locale=_Numbers)
    calendars = SimpleNamespace(Constants=dict, Calendar=_Calendar, VERSION_CONTEXT_STYLE=VERSION_CONTEXT_STYLE)
    for module in ("date", "date_time"):
        vars(importlib.import_module(f"agate.data_types.{module}")).update(parsedatetime=calendars)
    vars(importlib.import_module("mashumaro.jsonschema.schema")).update(_default=lambda *_: MISSING)
    BehaviorFlagRendered._default_source = staticmethod(_module_of_caller)  # noqa: SLF001
    if not keeps_parse:
        ManifestLoader.write_manifest_for_partial_parse = lambda _self: None


def _module_of_caller() -> str:
    """Return the module that sets up a flag: the nearest on the stack besides the one that we are called by."""
    frame = sys._getframe(1)  # noqa: SLF001
    ours = frame.f_globals["__name__"]
    while frame.f_globals["__name__"] == ours and frame.f_back is not None:
        frame = frame.f_back
    return str(frame.f_globals["__name__"])


def forget_parsing(manifest: Any) -> None:
    """Drop what dbt keeps from parsing in order to be fast at parsing again, and look for garbage no more."""
    from dbt.jsonschemas import jsonschemas

    for file in manifest.files.values():
        file.contents = None
        if hasattr(file, "dfy"):
            file.dfy = {}

    jsonschemas._PROJECT_SCHEMA = jsonschemas._RESOURCES_SCHEMA = None  # noqa: SLF001
    linecache.clearcache()
    gc.collect()
    gc.freeze()


def forget_building() -> None:
    """Drop what the next build would be faster with: the code of macros."""
    from dbt_common.clients.jinja import template_cache

    template_cache.clear()
    gc.collect()


class _Numbers:
    """Stands in for babel's `Locale` where agate, the tables of dbt, asks how numbers are written."""

    number_symbols: ClassVar = {"latn": {"group": ",", "decimal": "."}}

    @classmethod
    def parse(cls, locale: str) -> Any:
        """Return the symbols of English, or all that babel knows of another language."""
        from babel.core import Locale

        return cls() if locale == "en_US" else Locale.parse(locale)


def _no_http() -> ModuleType:
    """Return a stand-in for `requests`: the names that are looked up at import time, and a refusal."""

    class RequestError(OSError):
        """No request fails, because none is made."""

    def refuse(*_: object, **__: object) -> NoReturn:
        raise RequestError("gitmart transform talks to the warehouse and to nobody else")

    stand_in, exceptions = ModuleType("requests"), ModuleType("requests.exceptions")
    exceptions.RequestException = exceptions.ContentDecodingError = RequestError  # type: ignore[attr-defined]
    vars(stand_in).update(exceptions=exceptions, RequestException=RequestError, Session=object, get=refuse, post=refuse)
    return stand_in


def _deferred_converter() -> ModuleType:
    """Return a stand-in whose class turns into the real one when it is first called."""

    def converter(*words: Any, **options: Any) -> Any:
        del sys.modules[_SEMANTIC_CONVERTER]
        return importlib.import_module(_SEMANTIC_CONVERTER).OSIToMSIConverter(*words, **options)

    stand_in = ModuleType(_SEMANTIC_CONVERTER)
    vars(stand_in).update(OSIToMSIConverter=converter)
    return stand_in


def _deferred(name: str) -> ModuleType:
    """Return a stand-in for a module that is imported when something of it is asked for."""
    # importlib's LazyLoader imports it as soon as a second module wants it.

    def ask(wanted: str) -> object:
        if wanted.startswith("__"):
            raise AttributeError(f"module {name!r} has no attribute {wanted!r}")
        if sys.modules.get(name) is stand_in:
            del sys.modules[name]
        found: object = getattr(importlib.import_module(name), wanted)
        return found

    stand_in = ModuleType(name)
    vars(stand_in).update(__getattr__=ask)
    return stand_in


class _Calendar:
    """Stands in for a calendar of `parsedatetime` until it is to read a date. dbt gives its tables the formats."""

    def __init__(self, constants: Mapping[str, Any], version: int) -> None:
        self._constants, self._version = constants, version

    def __getattr__(self, name: str) -> Any:
        import parsedatetime

        constants = parsedatetime.Constants(**self._constants)
        return getattr(parsedatetime.Calendar(constants=constants, version=self._version), name)


def _trim_networkx() -> None:
    """Import networkx with what dbt calls; the rest comes when it is asked for."""
    found = importlib.util.find_spec("networkx")
    if found is None or found.origin is None:
        return
    for name in _NETWORKX:
        package = ModuleType(f"networkx.{name}")
        package.__path__ = [str(Path(found.origin).parent / name)]  # its modules can be imported one by one
        vars(package).update(__all__=[])
        sys.modules[package.__name__] = package
    networkx = importlib.import_module("networkx")
    for name in _CALLED:
        _publish(networkx, importlib.import_module(f"networkx.{name}"))

    def rest(name: str) -> object:
        if not name.startswith("_"):
            for package in _NETWORKX:
                sys.modules.pop(f"networkx.{package}", None)
            for package in _NETWORKX:
                _publish(networkx, importlib.import_module(f"networkx.{package}"))
            vars(networkx).pop("__getattr__", None)
        if name in vars(networkx):
            return vars(networkx)[name]
        raise AttributeError(f"module 'networkx' has no attribute {name!r}")

    vars(networkx).update(__getattr__=rest)


def _publish(package: ModuleType, module: ModuleType) -> None:
    """Let the package have the module and its public names, as its own `__init__` does."""
    names = {name: value for name, value in vars(module).items() if not name.startswith("_")}
    for name, value in {**names, module.__name__.rpartition(".")[2]: module}.items():
        vars(package).setdefault(name, value)
