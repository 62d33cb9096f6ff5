#!/usr/bin/env python3
"""How often a request moves from file to file: counted in an instrumented copy of the sources.

    benches/walk/count.py [-v]

User requests go to the only pod of the only cluster, through a gateway and sidecars. Every function of
`models/src/cluster/` prints its file when it is entered; a move is a change of the file from one line to the next.
What counts is the second request, which finds connections; the first, which makes them, is printed beside it.
Left out are the dispatcher that every event comes through (`handle.rs`), what surrounds whoever acts (`around.rs`,
`pods.rs`), what reads at the end (`sampling.rs`), and records and tables, which decide nothing (`hop.rs`, `call.rs`,
`upstreams.rs`, `changed_views.rs`, the two `mod.rs`). With `-v` all functions are printed.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
LEFT_OUT = {
    "handle.rs",
    "around.rs",
    "pods.rs",
    "sampling.rs",
    "changed_views.rs",
    "inbound/mod.rs",
    "inbound/call.rs",
    "outbound/mod.rs",
    "outbound/hop.rs",
    "outbound/upstreams.rs",
}

EXAMPLE = """
use meshsim_core::{RunControl, SimDuration};
use meshsim_models::application::internal_service::InternalService;
use meshsim_models::users::arrivals::Arrivals;
use meshsim_models::world::World;
use meshsim_models::world::description::{DataPlane, Description};

fn main() {
    let mut description = Description::new(SimDuration::from_secs(1));
    description.mesh.data_plane = DataPlane::Sidecar;
    // Workers keep connections of their own.
    (description.gateway.concurrency, description.mesh.concurrency) = (1, 1);
    let edge = description.add_cluster("edge", 4.0);
    let shop = description.add_service("shop", InternalService::idle());
    description.add_pods(shop, edge, 1);
    description.add_users(edge, shop, Arrivals::Constant { per_second: 2.1 });
    let mut world = World::new(&description, 0);
    eprintln!("WALK begins");
    world.run(&mut RunControl::until(description.end()));
    eprintln!("WALK ends");
}
"""


def instrumented(text: str, name: str) -> str:
    """The text with a line at the head of every function that is not const, tests apart."""
    end = text.find("#[cfg(test)]")
    body, tests = (text, "") if end < 0 else (text[:end], text[end:])
    out, done = [], 0
    for match in re.finditer(r"^[ ]*(?:#\[.*\]\s*)*(?:pub(?:\([a-z:\s]+\))? )?fn (\w+)", body, re.M):
        depth, place = 0, match.end()
        while body[place] != "{" or depth:
            if body[place] == ";" and not depth:
                break  # A method of a trait without a body.
            depth += {"(": 1, "[": 1, ")": -1, "]": -1}.get(body[place], 0)
            place += 1
        if body[place] == "{":
            out += [body[done : place + 1], f' eprintln!("WALK {name} {match[1]}");']
            done = place + 1
    return "".join(out) + body[done:] + tests


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        copy = pathlib.Path(folder)
        files = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
        for file in filter(None, files.decode().split("\0")):
            if (ROOT / file).is_file():
                (copy / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / file, copy / file)
        room = copy / "models/src/cluster"
        for path in room.rglob("*.rs"):
            name = str(path.relative_to(room))
            if name not in LEFT_OUT:
                path.write_text(instrumented(path.read_text(), name))
        (copy / "models/examples/walk.rs").write_text(EXAMPLE)
        command = ["cargo", "run", "--quiet", "-p", "meshsim-models", "--example", "walk"]
        env = {**os.environ, "RUSTFLAGS": "-Awarnings"}
        run = subprocess.run(command, cwd=copy, capture_output=True, text=True, env=env)
    lines = [line.removeprefix("WALK ") for line in run.stderr.splitlines() if line.startswith("WALK ")]
    if "ends" not in lines:
        sys.exit(run.stderr)
    steps = [line.split() for line in lines[lines.index("begins") + 1 : lines.index("ends")]]
    if "-v" in sys.argv[1:]:
        print("\n".join(" ".join(step) for step in steps))
    starts = [number for number, step in enumerate(steps) if step == ["users.rs", "user_sends"]]
    for name, begin, end in (("first", starts[0], starts[1]), ("second", starts[1], len(steps))):
        walk = [file for file, _ in steps[begin:end]]
        walk = [file for place, file in enumerate(walk) if place == 0 or walk[place - 1] != file]
        print(f"{name} request: {' -> '.join(walk)}")
        print(f"{len(walk) - 1} moves between {len(set(walk))} files")
    return 0


if __name__ == "__main__":
    sys.exit(main())
