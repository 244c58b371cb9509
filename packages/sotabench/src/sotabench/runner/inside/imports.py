"""Something to do once a module has been imported, without importing it."""

import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any, Optional

_waiting: dict[str, list[Callable[[ModuleType], None]]] = {}
_missing: dict[str, Callable[[ModuleType], None]] = {}


def after_import(name: str, change: Callable[[ModuleType], None]) -> None:
    """Call `change` with the module as soon as it is there."""
    if name in sys.modules:
        change(sys.modules[name])
    else:
        _waiting.setdefault(name, []).append(change)


def where_missing(name: str, fill: Callable[[ModuleType], None]) -> None:
    """Let there be a module of that name, filled by `fill`, where nothing else has one."""
    _missing[name] = fill


def install() -> None:
    """Begin to watch; once is enough."""
    if not any(isinstance(finder, _Watcher) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Watcher())
        sys.meta_path.append(_LastResort())


class _Watcher(importlib.abc.MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Optional[Sequence[str]], target: Optional[ModuleType] = None
    ) -> Optional[importlib.machinery.ModuleSpec]:
        if fullname not in _waiting:
            return None
        for finder in sys.meta_path:
            find = None if finder is self else getattr(finder, "find_spec", None)
            spec = find(fullname, path, target) if find else None
            if spec is not None and spec.loader is not None:
                spec.loader = _Loader(spec.loader)
                return spec  # type: ignore[no-any-return]  # finders are of all kinds
        return None


class _Loader(importlib.abc.Loader):
    def __init__(self, own: Any) -> None:
        self._own = own

    def __getattr__(self, name: str) -> Any:
        return getattr(self._own, name)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> Optional[ModuleType]:
        return self._own.create_module(spec)  # type: ignore[no-any-return]

    def exec_module(self, module: ModuleType) -> None:
        spec = module.__spec__
        if spec is not None:
            module.__loader__ = spec.loader = self._own
        self._own.exec_module(module)
        for change in _waiting.pop(module.__name__, []):
            change(module)


class _LastResort(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(
        self, fullname: str, path: Optional[Sequence[str]], target: Optional[ModuleType] = None
    ) -> Optional[importlib.machinery.ModuleSpec]:
        del path, target
        return importlib.util.spec_from_loader(fullname, self) if fullname in _missing else None

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> Optional[ModuleType]:
        del spec
        return None

    def exec_module(self, module: ModuleType) -> None:
        _missing[module.__name__](module)
