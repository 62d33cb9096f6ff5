#!/usr/bin/env python3
"""What the authors' offloading controller does in the loop: the gallery, its strategies over applications, and where it oscillates.

    cargo build --release
    python3 benches/offloading/measure.py target/release/meshsim docs

Writes `offloading-measured.md` and `offloading-region.svg` into the folder. All runs together take some minutes of CPU.
"""

import csv
import os
import random
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

LIBRARY = Path(__file__).resolve().parents[2] / "scenarios" / "library"
GALLERY = {
    "night": "no traffic reads as calm",
    "cut": "a cut link reads as calm",
    "errors": "nothing but errors reads as calm",
    "round-trip": "round trips counted four times",
    "cleared": "the alarm that has cleared prunes the edge",
    "price": "a void edge is accepted whatever it costs",
    "hang": "taking everything back never ends",
    "many-edges": "a share of nothing scales the cloud to its maximum",
    "removal": "services leave without a drain",
}
# Quantiles of Student's law at 97.5 %, by degrees of freedom.
STUDENT = [float("nan"), 12.706, 4.303, 3.182, 2.776]
SEED = 150273


def run(program: str, arguments: list[str]) -> Path:
    """Runs meshsim, and tells the folder of its results."""
    folder = Path(tempfile.mkdtemp())
    command = [program, *arguments, "--quiet", "--force", "--out", str(folder)]
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}: {done.stderr}")
    return folder


def rows(folder: Path, file: str) -> list[dict[str, str]]:
    with open(folder / file, newline="") as text:
        return list(csv.DictReader(text))


def mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else float("nan")


def interval(values: list[float], digits: int) -> str:
    """The mean and half of its interval of 95 %."""
    middle = mean(values)
    if len(values) < 2:
        return f"{middle:.{digits}f}"
    variance = sum((it - middle) ** 2 for it in values) / (len(values) - 1)
    half = STUDENT[len(values) - 1] * (variance / len(values)) ** 0.5
    return f"{middle:.{digits}f} ±{half:.{digits}f}"


def by_strategy(folder: Path, edge: str = "edge1") -> dict[str, dict[str, list[float]]]:
    """What each replication of each strategy came to at an edge."""
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in rows(folder, "offloading_edges.csv"):
        if row["edge"] != edge:
            continue
        of = found[row["strategy"]]
        for key in ["time_above_threshold", "mean_ms", "failed", "cost_per_hour"]:
            if row[key]:
                of[key].append(float(row[key]))
        of["actions"].append(float(row["moves"]))
        of["unanswered"].append(float(row["unanswered"]))
    return found


def gallery(program: str) -> list[str]:
    table = [
        "| `offloading-` | oddity | controller | time above the target | mean delay | failed | cost per hour | actions | unanswered |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, oddity in GALLERY.items():
        found = by_strategy(run(program, ["compare", str(LIBRARY / f"offloading-{name}.toml")]))
        for index, (strategy, of) in enumerate(found.items()):
            head = f"`{name}` | {oddity}" if index == 0 else " | "
            above = interval([100 * it for it in of["time_above_threshold"]], 1)
            failed = interval([100 * it for it in of["failed"]], 2)
            table.append(
                f"| {head} | {strategy} | {above} % | {interval(of['mean_ms'], 1)} ms | {failed} % "
                f"| {interval(of['cost_per_hour'], 4)} | {interval(of['actions'], 1)} | {interval(of['unanswered'], 1)} |"
            )
        print(table[-1], flush=True)
    return table


def graph(services: int, draw: random.Random) -> list[list[int]]:
    """Who calls whom in a random graph of the published recipe: preferential attachment by out-degree to the power of 0.9
    plus 3.125, and one parent more than one with a Lomax law of shape 10."""
    calls: list[list[int]] = [[]]
    for child in range(1, services):
        parents = min(round(min(draw.paretovariate(10), child)), child)
        weights = [len(it) ** 0.9 + 3.125 for it in calls]
        chosen: list[int] = []
        while len(chosen) < max(parents, 1):
            parent = draw.choices(range(child), weights)[0]
            if parent not in chosen:
                chosen.append(parent)
        calls.append([])
        for parent in chosen:
            calls[parent].append(child)
    return calls


LOAD = """arrivals = {{ type = "piecewise", points = [{{ at = "0s", rate = "{low}/s" }}, {{ at = "60s", rate = "{low}/s" }}, \
{{ at = "11min", rate = "{high}/s" }}, {{ at = "21min", rate = "{low}/s" }}] }}"""
RUN = '[run]\nduration = "24min"\nwarm_up = "60s"\nreplications = 5\nseed = 1\nbaseline = "nothing"\ncontrol_variates = false\n'


def strategies(fixed: list[str]) -> str:
    text = '\n[[strategy]]\nname = "nothing"\nset.offloading.policy = "fixed"\nset.offloading.services = []\n'
    listed = ", ".join(f'"{it}"' for it in fixed)
    text += f'\n[[strategy]]\nname = "fixed"\nset.offloading.policy = "fixed"\nset.offloading.services = [{listed}]\n'
    for name in ["sbmp", "co-pamp", "mfu", "ia", "kahn", "ta"]:
        text += f'\n[[strategy]]\nname = "{name}"\nset.offloading.policy = "{name}"\n'
    return text + '\n[[strategy]]\nname = "sbmp, mended"\nset.offloading.compat = false\n'


def random_application(services: int, uses_cpu: bool) -> str:
    """A random graph as a scenario, with laws of the published recipe: delays so that a request takes 50 ms in all. Where they are
    CPU time, pods have half a core, of which the entry takes a third or more at the height of the load: requests contend for it."""
    draw = random.Random(SEED + services)
    calls = graph(services, draw)
    delays = [draw.uniform(5, 10) for _ in range(services)]
    sizes = [2_000_000] + [draw.randint(200_000, 2_000_000) for _ in range(services - 1)]
    shares = [[draw.uniform(0.1, 0.5) for _ in it] for it in calls]
    visits = [1.0] + [0.0] * (services - 1)
    # Parents come before their children.
    for service in range(services):
        for child, share in zip(calls[service], shares[service]):
            visits[child] += visits[service] * share
    scale = 50 / sum(visit * delay for visit, delay in zip(visits, delays))
    # A node takes 110 pods.
    nodes = ", ".join(['{ cores = "64" }'] * -(-services // 10))
    cores = "500m" if uses_cpu else "1000m"
    text = RUN + f"""
[application]
cpu_request = "{cores}"
cpu_limit = "{cores}"
[pods]
pre_stop = "2s"
[hpa]
max_replicas = 10
metrics = [{{ resource = "cpu", utilization = 60 }}]
[mesh.traffic_policy]
outlier_detection = {{ consecutive_5xx_errors = 7 }}
[clusters.cloud]
zone = "cloud"
nodes = [{nodes}]
services = "all"
[clusters.edge1]
zone = "edge1"
nodes = [{nodes}]
services = []
[links.edge1-cloud]
between = ["edge1", "cloud"]
rtt = "80ms"
bandwidth = "1Gbit/s"
[users.edge1]
cluster = "edge1"
service = "s0"
{LOAD.format(low=2, high=10)}
[offloading]
cluster = "cloud"
edges = ["edge1"]
offload_delay = "120ms"
unoffload_delay = "80ms"
rtt_multiplier = 1.0
cloud_prices = {{ cpu = 0.0208, memory = 0.0104 }}
"""
    for service in range(services):
        delay = f'"{1000 * scale * delays[service]:.0f}us"'
        work = f"service_time = {delay}" if uses_cpu else f'service_time = "100us"\nwait = {delay}'
        called = ", ".join(
            f'{{ service = "s{child}", probability = {share:.3f} }}'
            for child, share in zip(calls[service], shares[service])
        )
        text += f'[services.s{service}]\n{work}\n[services.s{service}.endpoints.answer]\n'
        text += f'response_size = "{sizes[service]}B"\ncalls = [{called}]\n'
    return text + strategies(["s0"] + [f"s{child}" for child in calls[0]])


def before_strategies(name: str) -> str:
    return (LIBRARY / f"{name}.toml").read_text().split("[[strategy]]")[0]


def without_table(text: str, table: str) -> str:
    """A scenario without a table: from its head to the next one."""
    head, tail = text.split(f"[{table}]\n", 1)
    lines = tail.split("\n")
    end = next(index for index, line in enumerate(lines) if line.startswith("["))
    return head + "\n".join(lines[end:])


def with_run(text: str) -> str:
    return without_table(text, "run") + RUN


def ten_services() -> str:
    text = with_run(before_strategies("offloading-loop"))
    text = text.replace('rate = "50/s"', LOAD.format(low=10, high=60))
    text = text.replace('"ten-services', '"library:ten-services')
    return text + strategies(["s0", "s1", "s2", "s3"])


def boutique() -> str:
    text = without_table(with_run(before_strategies("online-boutique")), "users.edge1")
    mix = "{ home = 5, product = 13, cart = 8, addToCart = 3, checkout = 1 }"
    text += f'\n[users.edge1]\ncluster = "edge1"\nservice = "frontend"\nrequests = {mix}\n{LOAD.format(low=3, high=20)}\n'
    text += """
[offloading]
cluster = "cloud"
edges = ["edge1"]
offload_delay = "40ms"
unoffload_delay = "30ms"
"""
    return text + strategies(["frontend", "currency", "productcatalog", "recommendation", "ad", "shipping"])


def applications() -> list[tuple[str, str]]:
    found = [("ten services (250/150 ms)", ten_services()), ("Online Boutique (40/30 ms)", boutique())]
    for services in [10, 30, 60, 120]:
        found.append((f"graph of {services}, sleeps (120/80 ms)", random_application(services, False)))
    for services in [10, 30, 60, 120]:
        found.append((f"graph of {services}, contends for CPU (120/80 ms)", random_application(services, True)))
    return found


def strategy_table(program: str) -> list[str]:
    table = [
        "| application | asks | delay expected of a decision | came true | mean delay | cost per hour | actions "
        "| unanswered | time above | holds |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, text in applications():
        path = Path(tempfile.mkdtemp()) / "scenario.toml"
        path.write_text(text)
        folder = run(program, ["compare", str(path)])
        # By strategy and replication.
        expected: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
        true: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
        for row in rows(folder, "offloading.csv"):
            if row["believed_after_ms"] and row["after_mean_ms"] and row["edge_before"] != row["edge_after"]:
                gained = float(row["believed_before_ms"]) - float(row["believed_after_ms"])
                expected[row["strategy"]][row["replication"]].append(float(row["measured_ms"]) - gained)
                true[row["strategy"]][row["replication"]].append(float(row["after_mean_ms"]))
        for index, (strategy, of) in enumerate(by_strategy(folder).items()):
            shown = [[mean(its) for its in it[strategy].values()] for it in [expected, true]]
            said = [f"{interval(its, 0)} ms" if its else "-" for its in shown]
            above = [100 * it for it in of["time_above_threshold"]]
            table.append(
                f"| {name if index == 0 else ''} | {strategy} | {said[0]} | {said[1]} | {interval(of['mean_ms'], 0)} ms "
                f"| {interval(of['cost_per_hour'], 3)} | {interval(of['actions'], 1)} | {interval(of['unanswered'], 1)} "
                f"| {interval(above, 0)} % | {'yes' if mean(above) < 10 else 'no'} |"
            )
            print(table[-1], flush=True)
    return table


# What the picture varies: for each grid a strategy, a key down and a key across, with their values.
WINDOW = ("stabilization_window", ["15s", "30s", "1min", "2min", "4min"])
QUERY = ("query_period", ["30s", "1min", "2min", "4min", "8min"])
SYNC = ("sync_period", ["5s", "15s", "30s", "1min", "2min"])
OFFLOAD = ("offload_delay", ["120ms", "140ms", "160ms", "180ms", "200ms", "250ms"])
UNOFFLOAD = ("unoffload_delay", ["30ms", "60ms", "90ms", "110ms"])
GRIDS = [
    ("sbmp", QUERY, WINDOW),
    ("sbmp-mended", QUERY, WINDOW),
    ("sbmp", SYNC, WINDOW),
    ("kahn", QUERY, WINDOW),
    ("sbmp", UNOFFLOAD, OFFLOAD),
    ("kahn", UNOFFLOAD, OFFLOAD),
]
Axis = tuple[str, list[str]]


def actions(program: str, strategy: str, down: Axis, across: Axis) -> dict[tuple[str, str], float]:
    """Actions of a run of 24 minutes at constant load, by the values of two keys."""
    sweep = ["sweep", str(LIBRARY / "offloading-loop.toml"), "--strategy", strategy, "--replications", "2"]
    for key, values in [down, across]:
        sweep += ["--set", f"offloading.{key}={','.join(values)}"]
    folder = run(program, [*sweep, "--set", "run.duration=24min"])
    columns = [f"offloading.{key}" for key, _ in [down, across]]
    found = [row for row in rows(folder, "sweep.csv") if row["metric"] == "offloading_actions"]
    return {(row[columns[0]], row[columns[1]]): float(row["value"]) for row in found}


def colour(count: float) -> str:
    """Green where it acts and rests, red where it goes back and forth."""
    return "#74c476" if count <= 2 else "#fdd49e" if count <= 4 else "#fc8d59" if count <= 8 else "#d7301f"


def picture(grids: list[tuple[str, Axis, Axis, dict[tuple[str, str], float]]]) -> str:
    cell, left, top, columns = 52, 110, 46, 2
    wide = left + cell * max(len(across[1]) for _, _, across, _ in grids) + 40
    high = top + cell * max(len(down[1]) for _, down, _, _ in grids) + 50
    parts = []
    for index, (strategy, down, across, found) in enumerate(grids):
        x0, y0 = wide * (index % columns) + left, high * (index // columns) + top
        parts.append(f'<text x="{x0}" y="{y0 - 22}" font-weight="bold">{strategy}: actions in 24 min</text>')
        parts.append(f'<text x="{x0 - 8}" y="{y0 - 6}" text-anchor="end">{down[0]}</text>')
        for row, value in enumerate(down[1]):
            y = y0 + cell * row
            parts.append(f'<text x="{x0 - 8}" y="{y + 30}" text-anchor="end">{value}</text>')
            for column, other in enumerate(across[1]):
                x, count = x0 + cell * column, found[(value, other)]
                parts.append(
                    f'<rect x="{x}" y="{y}" width="{cell - 2}" height="{cell - 2}" fill="{colour(count)}"/>'
                    f'<text x="{x + cell / 2 - 1}" y="{y + 30}" text-anchor="middle">{count:g}</text>'
                )
        bottom = y0 + cell * len(down[1])
        for column, other in enumerate(across[1]):
            parts.append(f'<text x="{x0 + cell * (column + 0.5) - 1}" y="{bottom + 14}" text-anchor="middle">{other}</text>')
        middle = x0 + cell * len(across[1]) / 2
        parts.append(f'<text x="{middle}" y="{bottom + 32}" text-anchor="middle">{across[0]}</text>')
    width, height = wide * columns, high * ((len(grids) + 1) // columns)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif" '
        f'font-size="12"><rect width="100%" height="100%" fill="white"/>{"".join(parts)}</svg>\n'
    )


def region(program: str) -> str:
    return picture([(strategy, down, across, actions(program, strategy, down, across)) for strategy, down, across in GRIDS])


def main() -> None:
    program, folder = os.path.abspath(sys.argv[1]), Path(sys.argv[2])
    svg = region(program)
    shown, compared = gallery(program), strategy_table(program)
    text = f"""# The controller in the loop, measured

Written by `benches/offloading/measure.py`. ± is the 95 % interval over replications. [Let a controller decide](offloading.md) says how
such runs are made.

## What goes wrong

Each scenario of the library shows one oddity of the original (`compat = true`) and runs again with it mended (`compat = false`), over
the same requests, 5 replications each. Its head says what to see. `unanswered` are decisions in which the original crashes or
never ends.

{chr(10).join(shown)}

The last one is no oddity of the controller: nobody drains, whoever decides, and a preStop hook in the manifests heals it.

## Who holds the target

Load rises five to seven times within ten minutes and falls again, 24 minutes, 5 replications. In brackets: `offload_delay` and
`unoffload_delay`. Random graphs follow the published recipe but for the load (2 to 10 requests/s in place of 50) and for CPU: a visit
sleeps and takes next to none, in pods of one core, or it takes its time of CPU, in pods of half a core for which requests contend;
autoscalers have 1 to 10 of them at 60 %. `fixed` brings the first service and what it
calls. What a decision is expected to come to is the measured delay less what the strategy believes to gain; what came true is
the mean from a stabilization window after it to the next decision. Who is above the target for less than 10 % of the time holds it:
an alarm, its action and the pods' start alone are 8 %.

{chr(10).join(compared)}

Where bodies are small (the ten services, the shop), what is believed to be gained is mostly too much, for the original counts the
round trip four times. Where they have up to 2 MB, as in the recipe, it is too little: an answer takes round trips while TCP's window
grows, which the model leaves out. So the first action asks for less than is needed, and every further one takes an alarm and a
window: on the graphs nobody holds the target in truth, though the sets that are found in the end do.

## Where it goes back and forth

`offloading-loop` at its constant load, two replications a point, by `meshsim sweep`: one action or two settle it; more are the controller
taking back what it has brought. The original with sbmp does where its stabilization window is half a minute or less: it acts again on
queries that still see what was before the last action, or on an alarm that has cleared meanwhile, and asked for less than nothing it
prunes the edge. The mended one, which looks again before it acts, hardly does, and neither does a strategy that does not prune. With
windows of a minute or more, whatever the periods and thresholds, three actions are the most.

![Actions of a run by the windows of queries and of alarms, the time between looks, and the thresholds](offloading-region.svg)
"""
    (folder / "offloading-measured.md").write_text(text)
    (folder / "offloading-region.svg").write_text(svg)


if __name__ == "__main__":
    main()
