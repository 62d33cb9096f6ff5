"""CPU time until the strategies of the headline are told apart: the table of docs/statistics.md.

Compares `fluidos-mesh` as it stands, ten replications of twenty minutes, with short replications that `--decide` adds where they
decide, in one sitting with the same binary, in turn. Usage: measure.py PROGRAM [TIMES]
"""

import json
import os
import resource
import subprocess
import sys

FIXED = []
DECIDE = ["--replications", "5", "--set", "run.duration=60s", "--set", "run.warm_up=20s"]
DECIDE += ["--decide", "95%", "--indifference", "1ms"]


def run(program, more):
    """CPU seconds and the summary of a comparison."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [program, "compare", "fluidos-mesh", "--quiet", "--json", "--threads", "1", *more]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return seconds, json.loads(output)


def told_apart(summary):
    """How many strategies may be the best, by the intervals against the best of the others."""
    intervals = summary["against_best_of_others_ms"]
    return sum(low <= 0.0 for low, _ in intervals.values())


def main():
    program = os.path.abspath(sys.argv[1])
    times = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    print("| | CPU s | may be the fastest | selected |")
    print("| --- | ---: | ---: | --- |")
    sums = {}
    for _ in range(times):
        for name, more in (("ten fixed", FIXED), ("--decide", DECIDE)):
            seconds, summary = run(program, more)
            sums[name] = sums.get(name, 0.0) + seconds
            decision = summary.get("decision") or {}
            runs = decision.get("replications")
            selected = f"{decision['selected']}, {sum(runs.values())} runs" if runs else "-"
            print(f"| {name} | {seconds:.2f} | {told_apart(summary)} | {selected} |")
    print(f"\nratio of CPU time: {sums['--decide'] / sums['ten fixed']:.3f}")


if __name__ == "__main__":
    main()
