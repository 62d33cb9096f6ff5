#!/usr/bin/env python3
"""How CPU time and memory grow with the number of edges: `metro` with 10 to 10,000 of them, each with 100 requests a second.

    cargo build --release
    python3 benches/growth/measure.py target/release/meshsim docs

Writes `growth.md`, a table, and `growth.svg`, a plot, into the folder. Every row is two runs on one thread: one of 20
milliseconds, which is the start, and one of four seconds. CPU time and the most memory are those that the system counts
for the process (`wait4`).
"""

import json
import math
import os
import sys
from pathlib import Path

EDGES = [10, 100, 1_000, 10_000]
SECONDS = 4


def run(program: str, edges: int, seconds: float) -> tuple[float, float, int]:
    """CPU time (s), most memory (bytes) and requests of a run."""
    settings = {
        "cluster_template.edge.count": edges,
        "cluster_template.edge.users.rate": '"100/s"',
        "run.warm_up": '"0s"',
        "run.duration": f'"{seconds}s"',
    }
    arguments = [program, "run", "metro", "--quiet", "--threads", "1", "--json"]
    for path, value in settings.items():
        arguments += ["--set", f"{path}={value}"]
    read, write = os.pipe()
    process = os.posix_spawn(
        program,
        arguments,
        os.environ,
        file_actions=[
            (os.POSIX_SPAWN_DUP2, write, 1),
            (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
            (os.POSIX_SPAWN_CLOSE, read),
        ],
    )
    os.close(write)
    with os.fdopen(read) as output:
        summary = json.load(output)
    _, status, usage = os.wait4(process, 0)
    if status != 0:
        sys.exit(f"{' '.join(arguments)} failed")
    requests = summary["strategies"][0]["requests"]["offered"]
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, requests


def in_words(size: float) -> str:
    return f"{size / 1e6:.0f} MB" if size < 1e9 else f"{size / 1e9:.1f} GB"


def plot(rows: list[tuple[int, float, float]]) -> str:
    """CPU time per request (us) and memory per edge (MB) over the number of edges, both axes logarithmic."""
    width, height, left, bottom, top = 620, 300, 60, 40, 30
    values = [value for row in rows for value in row[1:]]
    low = math.floor(math.log10(min(values)))
    high = math.ceil(math.log10(max(values)))

    def place(edges: float, value: float) -> tuple[float, float]:
        across = (math.log10(edges) - 1) / 3
        up = (math.log10(value) - low) / (high - low)
        return left + across * (width - left - 20), height - bottom - up * (height - bottom - top)

    def line(column: int, colour: str, name: str) -> str:
        points = [place(row[0], row[column]) for row in rows]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in points)
        x, y = points[0]
        label = f'<text x="{x + 8:.1f}" y="{y - 8:.1f}" fill="{colour}">{name}</text>'
        return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.5"/>{dots}{label}'

    grid = []
    for power in range(low, high + 1):
        x, y = place(10, 10.0**power)
        grid.append(f'<line x1="{x}" y1="{y:.1f}" x2="{width - 20}" y2="{y:.1f}" stroke="#ddd"/>')
        grid.append(f'<text x="{x - 8}" y="{y + 4:.1f}" text-anchor="end">{10.0**power:g}</text>')
    for edges in EDGES:
        x, y = place(edges, 10.0**low)
        grid.append(f'<text x="{x:.1f}" y="{y + 18:.1f}" text-anchor="middle">{edges:,}</text>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif" '
        f'font-size="12"><rect width="100%" height="100%" fill="white"/>'
        f'<text x="{width / 2}" y="{height - 6}" text-anchor="middle">edges</text>'
        f"{''.join(grid)}"
        f"{line(1, '#1f77b4', 'CPU time per request (us)')}{line(2, '#d62728', 'memory per edge (MB)')}</svg>\n"
    )


def main() -> None:
    program, folder = os.path.abspath(sys.argv[1]), Path(sys.argv[2])
    table = [
        "| edges | pods | start: CPU | start: memory | requests | CPU per request | most memory | per edge |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    rows = []
    for edges in EDGES:
        start_cpu, start_memory, before = run(program, edges, 0.02)
        cpu, memory, requests = run(program, edges, SECONDS)
        each = (cpu - start_cpu) / (requests - before) * 1e6
        rows.append((edges, each, memory / edges / 1e6))
        table.append(
            f"| {edges:,} | {9 * edges + 1_000:,} | {start_cpu:.2f} s | {in_words(start_memory)} | {requests:,} "
            f"| {each:.1f} us | {in_words(memory)} | {memory / edges / 1e6:.2f} MB |"
        )
        print(table[-1], flush=True)
    text = f"""# Growth with the number of edges

`metro` with so many edges, each with nine pods and 100 requests a second, and its cloud of 1,000 pods, for {SECONDS} simulated
seconds on one thread. Written by `benches/growth/measure.py`; times are those of one machine on one day, their growth is not.

{chr(10).join(table)}

![CPU time per request and memory per edge over the number of edges](growth.svg)

Nothing is kept per pair of clusters. What still grows per edge follows the size of a region (50 edges with 1,000, 500 with
10,000): a proxy comes to know more endpoints, of each of which it keeps a pool of connections. Time grows
while what a round over all edges touches outgrows the caches.
"""
    (folder / "growth.md").write_text(text)
    (folder / "growth.svg").write_text(plot(rows))


if __name__ == "__main__":
    main()
