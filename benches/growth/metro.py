#!/usr/bin/env python3
"""Runs `metro` once, whole: its time, the most memory, and the hash of its results.

    cargo build --profile dist
    python3 benches/growth/metro.py target/dist/meshsim [SETTING=VALUE ...]

On one thread. CPU time and the most memory are those that the system counts for the process (`wait4`); the hash is that of
all result files, in the order of their names, each with its name before it. Settings are those of `--set`, to shorten it.
"""

import hashlib
import json
import os
import sys
import tempfile
import time
from pathlib import Path


def main() -> None:
    program, settings = os.path.abspath(sys.argv[1]), sys.argv[2:]
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder, "results")
        arguments = [program, "run", "metro", "--quiet", "--threads", "1", "--out", str(results)]
        for setting in settings:
            arguments += ["--set", setting]
        begin = time.monotonic()
        quiet = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
        process = os.posix_spawn(program, arguments, os.environ, file_actions=quiet)
        _, status, usage = os.wait4(process, 0)
        took = time.monotonic() - begin
        if status != 0:
            sys.exit(f"{' '.join(arguments)} failed")
        digest = hashlib.sha256()
        for file in sorted(path for path in results.rglob("*") if path.is_file()):
            digest.update(str(file.relative_to(results)).encode())
            digest.update(file.read_bytes())
        summary = json.loads((results / "summary.json").read_text())
    requests = summary["strategies"][0]["requests"]["offered"]
    cpu = usage.ru_utime + usage.ru_stime
    print(
        f"{requests:,} requests after the warm-up: {cpu:,.0f} s of CPU time ({took:,.0f} s passed); "
        f"most memory {usage.ru_maxrss * 1024 / 1e9:.2f} GB; results {digest.hexdigest()[:16]}"
    )


if __name__ == "__main__":
    main()
