#!/usr/bin/env python3
"""Runs meshsim and its peers in turn and prints medians of paired ratios of CPU seconds.

    benches/peers/run.py            nine rounds; writes the table of docs/speed.md
    benches/peers/run.py --smoke    a short run of what meshsim is held against first: does it still work?

A round runs every program once, so that what else the machine does meets all of them; a ratio is of two programs of
one round. What a program takes to start (a run of one unit) is taken off. Every program records every time that a
customer or a request takes: in a histogram or, in Python, a list; on NeXosim, whose models keep only what can be
written down, the mean alone.
"""

import argparse
import os
import pathlib
import re
import resource
import shutil
import statistics
import subprocess
import sys
import venv

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
RELEASE = HERE / "target" / "release"
PYTHON = HERE / "venv" / "bin" / "python"
MESHSIM = ROOT / "target" / "dist" / "meshsim"
TABLE = ROOT / "docs" / "speed.md"
BEGIN, END = "<!-- the table of benches/peers/run.py -->", "<!-- end of the table -->"

# The floor is one only if a request takes no more than so many instructions.
FLOOR_INSTRUCTIONS = 8_000


def program(name):
    return lambda units: [RELEASE / name, str(units)]


def python(name):
    return lambda units: [PYTHON, HERE / "python" / f"{name}.py", str(units)]


def headline(units):
    """50 user requests a second."""
    settings = [f"run.duration={max(units // 50, 1)}s", "run.warm_up=0s"]
    sets = [word for setting in settings for word in ("--set", setting)]
    command = ["run", "fluidos-mesh", "--strategy", "s0-s3", "--replications", "1", "--threads", "1", "-q"]
    return [MESHSIM, *command, *sets]


# Name of what is run, its unit, the mean it must come to (ms; none where no theory says), and by engine how it is run
# and for how many units; meshsim first.
WORKLOADS = [
    ("M/M/1", "customer", (10.0, 0.1), {
        "meshsim's kernel": (program("meshsim-mm1"), 8_000_000),
        "simcore 0.1": (program("simcore-mm1"), 8_000_000),
        "NeXosim 1.0, one thread": (program("nexosim-mm1"), 1_000_000),
        "SimPy 4.1": (python("simpy_mm1"), 100_000),
        "Ciw 3.2": (python("ciw_mm1"), 50_000),
    }),
    ("call graph", "user request", (113.86, 0.02), {
        "meshsim's kernel": (program("meshsim-call-graph"), 3_000_000),
        "simcore 0.1": (program("simcore-call-graph"), 3_000_000),
        "NeXosim 1.0, one thread": (program("nexosim-call-graph"), 500_000),
        "SimPy 4.1": (python("simpy_call_graph"), 50_000),
        "Ciw 3.2": (python("ciw_call_graph"), 10_000),
    }),
    ("mesh", "user request", None, {
        "meshsim, fluidos-mesh, s0-s3": (headline, 600_000),
        "written by hand (`floor`)": (program("floor"), 2_000_000),
    }),
]


def cpu_seconds(command):
    """Runs a program; its CPU time and what it printed."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0:
        sys.exit(f"{command[0]} failed: {done.stderr}")
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime, done.stdout


def printed(output, word):
    return float(re.search(rf"^{word} (\S+)", output, re.MULTILINE).group(1))


def check_mean(engine, output, mean):
    """A peer that simulates something else is none."""
    if mean and abs(printed(output, "mean_ms") / mean[0] - 1.0) > mean[1]:
        sys.exit(f"{engine} has a mean of {printed(output, 'mean_ms')} ms, not {mean[0]}")


def build(everything):
    cargo = os.environ.get("CARGO", "cargo")
    only = [] if everything else ["--package", "floor"]
    subprocess.run([cargo, "build", "--release", "--quiet", *only], cwd=HERE, check=True)
    if not everything:
        return
    subprocess.run([cargo, "build", "--profile", "dist", "--quiet", "--bin", "meshsim"], cwd=ROOT, check=True)
    if not PYTHON.exists():
        venv.create(HERE / "venv", with_pip=True)
    requirements = HERE / "python" / "requirements.txt"
    subprocess.run([PYTHON, "-m", "pip", "install", "--quiet", "-r", requirements], check=True)


def floor_instructions():
    """Instructions of a request of the floor, if valgrind is there."""
    if not shutil.which("valgrind"):
        return None
    requests = 20_000
    tool = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", RELEASE / "floor"]
    counts = []
    for units in (1, requests):
        done = subprocess.run([*tool, str(units)], capture_output=True, text=True, check=True)
        counts.append(int(re.search(r"Collected : (\d+)", done.stderr).group(1)))
    return (counts[1] - counts[0]) / (requests - 1)


def check_floor():
    instructions = floor_instructions()
    if instructions is None:
        print("floor: instructions are not counted, valgrind is not installed")
    elif instructions > FLOOR_INSTRUCTIONS:
        sys.exit(f"floor: {instructions:.0f} instructions a request are more than {FLOOR_INSTRUCTIONS}: it is none")
    else:
        print(f"floor: {instructions:.0f} instructions a request")
    return instructions


def smoke():
    build(everything=False)
    _, output = cpu_seconds([RELEASE / "floor", "50000"])
    events, mean = printed(output, "events_per_request"), printed(output, "mean_ms")
    if abs(events - 22.2) > 0.2 or abs(mean - 115.8) > 2.0:
        sys.exit(f"floor: {events} events and {mean} ms a request, not 22.2 and 115.8")
    check_floor()


def measure(rounds):
    """Seconds of a unit, by workload, engine and round."""
    seconds = {}
    for number in range(rounds):
        for workload, _, mean, engines in WORKLOADS:
            for engine, (command, units) in engines.items():
                start, _ = cpu_seconds(command(1))
                spent, output = cpu_seconds(command(units))
                check_mean(engine, output, mean)
                seconds.setdefault((workload, engine), []).append((spent - start) / units)
        print(f"round {number + 1} of {rounds}", file=sys.stderr)
    return seconds


def table(seconds, rounds, instructions):
    lines = [
        "| workload | engine | a second of CPU time simulates | meshsim's rate against it, paired (range) |",
        "| --- | --- | --- | --- |",
    ]
    for workload, unit, _, engines in WORKLOADS:
        ours = seconds[workload, next(iter(engines))]
        for engine in engines:
            theirs = seconds[workload, engine]
            rate = 1.0 / statistics.median(theirs)
            ratios = sorted(theirs / ours for theirs, ours in zip(theirs, ours))
            against = f"{statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"
            against = "" if theirs is ours else against
            lines.append(f"| {workload} | {engine} | {rate:,.0f} {unit}s | {against} |")
    note = f"Medians of {rounds} rounds on {processor()}."
    if instructions:
        note += f" The floor takes {instructions:,.0f} instructions a request."
    return "\n".join([*lines, "", note])


def processor():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return "an unknown processor"


def write(text):
    before, rest = TABLE.read_text().split(BEGIN)
    _, after = rest.split(END)
    TABLE.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--smoke", action="store_true", help="a short run of the floor")
    parser.add_argument("--rounds", type=int, default=9, help="rounds (default: 9)")
    parser.add_argument("--print", action="store_true", help="leave the table of the documentation as it is")
    arguments = parser.parse_args()
    if arguments.smoke:
        return smoke()
    build(everything=True)
    instructions = check_floor()
    text = table(measure(arguments.rounds), arguments.rounds, instructions)
    print(text)
    if not arguments.print:
        write(text)


if __name__ == "__main__":
    main()
