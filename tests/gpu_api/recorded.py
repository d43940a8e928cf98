"""The API of cuDF, cuML and CuPy as it was recorded where they are installed."""

import ast
import datetime
import gzip
import json
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from gpu_api import traps

MANIFEST = Path(__file__).parent.parent / "gpu" / "api_manifest.json.gz"
Names = Mapping[str, Any]

_PYTHON = (
    *(str, bytes, int, float, list, tuple, dict, set, slice),
    *(datetime.datetime, os.stat_result, Path, re.Match),
)
# How a value's own API is reached: `.str`, `.dt`, `.list`.
ACCESSORS = {"str": "StringMethods", "dt": "DatetimeProperties", "list": "ListMethods"}


class Api:
    """The recorded API, and the names that are Python's or our own."""

    def __init__(self, manifest: Names, ours: Iterable[str]) -> None:
        self._manifest = manifest
        frames, core = manifest["cudf"], manifest["cudf.core"]
        self.xp: Names = manifest["cupy"]
        self.frames: Names = frames
        self._plain = {*ours, *(name for kind in _PYTHON for name in dir(kind))}
        self._classes = {
            "DataFrame": [frames["DataFrame"]["class"]],
            "Series": [frames["Series"]["class"]],
            "ndarray": [self.xp["ndarray"]["class"]],
            "GroupBy": [core[f"{of}GroupBy"]["class"] for of in ("DataFrame", "Series")],
            **{name: [core[name]["class"]] for name in ACCESSORS.values()},
        }
        indexes = [of["class"] for name, of in frames.items() if name.endswith("Index")]
        values = [self._classes[kind][0] for kind in ("DataFrame", "Series", "ndarray")]
        self._classes["?"] = [*values, *indexes]

    @classmethod
    def load(cls, ours: Iterable[str], *, estimators: Iterable[tuple[str, str]]) -> "Api":
        """The recorded API, with the names of our own classes and of (module, name) estimators."""
        manifest = json.loads(gzip.decompress(MANIFEST.read_bytes()))
        theirs = (n for module, name in estimators for n in manifest[module][name]["class"])
        return cls(manifest, {*ours, *theirs})

    def init_parameters(self, module: str, name: str) -> set[str]:
        """The keywords that the constructor of a class takes; none where there is no such class."""
        entry = self._manifest.get(module, {}).get(name) or {}
        return set(entry.get("class", {}).get("__init__", {}).get("params", ()))

    def method_fault(self, kind: str, name: str, call: ast.Call | None) -> str | None:
        """Why a value of that kind can't be used so; None where it can."""
        found = [of[name] for of in self._classes[kind] if name in of]
        if not found:
            is_plain = kind == "?" and name in self._plain
            return None if is_plain else f"no such name on {_described(kind)}"
        # CuPy's methods are compiled: the function of the same name shows what they take.
        misfits = [misfit(entry or self.xp.get(name), call) for entry in found]
        return None if None in misfits else misfits[0]

    def module_fault(self, module: str, name: str, call: ast.Call | None) -> str | None:
        """Why `xp.name` or `frames.name` can't be used so."""
        names, library = (self.xp, "CuPy") if module == "xp" else (self.frames, "cuDF")
        if name not in names:
            is_known = module == "xp" and name in traps.XP_SUBMODULES
            return None if is_known else f"{library} has no such name"
        return misfit(names[name], call)

    def ufunc_fault(self, name: str, method: str) -> str | None:
        """Why `xp.name.method` can't be used."""
        entry = self.xp.get(name)
        if isinstance(entry, dict) and "ufunc" in entry:
            return None if method in entry["ufunc"] else f"CuPy's {name} has no {method}"
        known = traps.XP_SUBMODULES.get(name)
        return None if known is None or method in known else f"CuPy's {name} has no {method}"


def misfit(entry: Any, call: ast.Call | None) -> str | None:
    """Why the call's keywords don't fit a signature of the manifest."""
    if call is None or not isinstance(entry, dict):
        return None
    if "ufunc" in entry:
        taken = {"casting", "dtype", "out"}
    else:
        signature = (entry["class"].get("__init__") if "class" in entry else entry) or {}
        kinds = signature.get("params")
        if kinds is None or any(kind == "VAR_KEYWORD" for kind, _ in kinds.values()):
            return None
        taken = set(kinds)
    wrong = sorted({word.arg for word in call.keywords if word.arg} - taken)
    return f"takes no {', '.join(wrong)}= (but {', '.join(sorted(taken))})" if wrong else None


def _described(kind: str) -> str:
    return "any cuDF or CuPy value" if kind == "?" else f"the GPU's {kind}"
