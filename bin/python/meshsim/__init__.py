"""Runs the simulator `meshsim` and gives its results as data frames.

`set` changes values of the scenario, `{"links.edge1-cloud.rtt": "20ms"}`; of `sweep` it has a list of values for each, or a range
as in `"5ms..300ms:10"`. Options are those of the command line (`meshsim compare --help`) with underscores, and one behind what is
a word of Python (`for_="60s"`): `True` for a flag, a list for one that may be given several times. `out=DIR` keeps all files.
Units stand in a column `unit` or in `frame.attrs["units"]`; `frame.attrs` also has the manifest: command, version, hashes.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sysconfig
import tempfile
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

__all__ = ["MeshsimError", "charts", "compare", "drill", "sweep", "validate"]


class MeshsimError(RuntimeError):
    """What the program says is wrong. `code` is its exit code: 1 if a run failed, 2 if the input is wrong."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


def compare(scenario: str | Path, set: Mapping[str, Any] | None = None, **options: Any) -> pd.DataFrame:
    """All strategies over the same requests: a row per value of a figure, as `metrics.csv` has them."""
    return _frame("compare", [scenario], set, options, "metrics.csv")


def sweep(scenario: str | Path, set: Mapping[str, Any], **options: Any) -> pd.DataFrame:
    """The same at every point of a grid; with `break_even="ONE,OTHER"` the points that were tried, and the result in `attrs`."""
    lists = {path: ",".join(map(_text, it)) if isinstance(it, list) else it for path, it in set.items()}
    return _frame("sweep", [scenario], lists, options, "break_even.csv" if "break_even" in options else "sweep.csv")


def drill(scenario: str | Path, set: Mapping[str, Any] | None = None, **options: Any) -> pd.DataFrame:
    """What every single failure does to every strategy."""
    return _frame("drill", [scenario], set, options, "drill.csv")


def validate(scenario: str | Path | None = None, set: Mapping[str, Any] | None = None, **options: Any) -> pd.DataFrame:
    """Measured and simulated figures side by side, of a scenario and `trace=FILE` or of a `suite=FILE`."""
    return _frame("validate", [] if scenario is None else [scenario], set, options, "figures.csv")


def charts(out: str | Path) -> dict[str, list[dict[str, Any]]]:
    """The charts of the page of results in a folder by name, each with variants that have a `name` and a `spec` of Vega-Lite."""
    done = subprocess.run([_program(), "report", str(out), "--charts"], capture_output=True, text=True, encoding="utf-8")
    if done.returncode:
        raise MeshsimError(done.stderr.strip(), done.returncode)
    return json.loads(done.stdout)


def _program() -> str:
    beside = Path(sysconfig.get_path("scripts")) / "meshsim"
    return os.environ.get("MESHSIM") or (str(beside) if beside.is_file() else "meshsim")


def _text(value: Any) -> str:
    return value if isinstance(value, str) else str(value) if isinstance(value, Path) else json.dumps(value)


def _frame(command: str, head: list[Any], set: Mapping[str, Any] | None, options: dict[str, Any], table: str) -> pd.DataFrame:
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(options.pop("out", None) or Path(scratch) / "results")
        arguments = [command, *map(str, head), "--out", str(out)]
        for path, value in (set or {}).items():
            arguments += ["--set", f"{path}={_text(value)}"]
        for name, value in options.items():
            for one in value if isinstance(value, (list, tuple)) else [value]:
                if one is not None and one is not False:
                    arguments += [f"--{name.rstrip('_').replace('_', '-')}", *([] if one is True else [_text(one)])]
        _run(arguments, out)
        frame = pd.read_csv(out / table)
        frame.attrs = json.loads((out / "manifest.json").read_text())
        if table == "break_even.csv":
            frame.attrs |= json.loads((out / "break_even.json").read_text())
        units = {column: re.search(r" \[(.+)\]$|_(ms|s)(?:_low|_high)?$", column) for column in map(str, frame.columns)}
        frame.attrs["units"] = {column: it[1] or it[2] for column, it in units.items() if it}
        return frame


def _run(arguments: list[str], out: Path) -> None:
    show, said = _progress(), list[str]()
    environment = {**os.environ, "MESHSIM_PROGRESS_SECONDS": "1", "NO_COLOR": "1", "CLICOLOR_FORCE": "0"}
    pipes: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    with subprocess.Popen([_program(), *arguments], env=environment, text=True, encoding="utf-8", **pipes) as process:
        for line in map(str.rstrip, process.stderr or ()):
            if re.match(r"\d+ % done, |\d+ of \d+ MB read$", line):
                show(line)
            elif line.startswith("warning: "):
                warnings.warn(line.removeprefix("warning: "), stacklevel=4)
            else:
                said.append(line)
    show("")
    # A check or an objective that does not hold is a result as well, and ends with 1.
    is_result = process.returncode == 0 or (process.returncode == 1 and not any(it.startswith("error") for it in said))
    if not (is_result and (out / "manifest.json").is_file()):
        raise MeshsimError("\n".join(said).strip() or f"meshsim ended with {process.returncode}", process.returncode)


def _progress() -> Callable[[str], None]:
    """Shows a line instead of the one before, in a notebook; elsewhere nothing."""
    try:
        from IPython import get_ipython
        from IPython.display import display
    except ImportError:
        return lambda line: None
    if get_ipython() is None or "IPKernelApp" not in get_ipython().config:
        return lambda line: None
    handle = display({"text/plain": ""}, raw=True, display_id=True)
    return lambda line: handle.update({"text/plain": line}, raw=True)
