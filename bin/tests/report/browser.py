"""Pages of results in a headless Chromium: what is drawn, what is said, and that every number is that of the files.

    browser.py MESHSIM SCRATCH [PICTURES]

makes results of every kind in SCRATCH and a page of each, and opens it without a network, narrow and wide, light and dark.
With PICTURES each page is photographed into that folder.
"""

import csv
import json
import re
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlparse

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright

HERE = Path(__file__).parent
NOTEBOOKS = HERE.parents[2] / "notebooks"
SMALL = ["--replications", "2", "--quiet"]
BYTES_MAX = 3_000_000
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]
# Fields of charts that stand in the files as they are; others are positions, and shares that are tested by themselves.
FROM_FILES = {"value", "low", "high", "ms", "noticed", "acted", "measured", "simulated", "use_there", "use_back"}


def results(meshsim, scratch):
    """Results of every kind, each a folder with the page that was written beside it."""
    def run(name, *arguments, codes=(0,)):
        folder, page = scratch / name, scratch / f"{name}.html"
        done = subprocess.run([meshsim, *arguments, "--out", folder, "--report", page, *SMALL], capture_output=True, text=True)
        assert done.returncode in codes, (arguments, done.returncode, done.stderr)
        return name, folder, page

    yield run("names", "compare", str(HERE / "names.toml"), "--critical-path")
    yield run("shop", "compare", "shop", "--set", "run.duration=90s", "--set", "run.warm_up=10s")
    yield run("offloading", "compare", "offloading-cut")
    yield run("incident", "run", "edge-outage", "--timeline", "--strategy", "led-away")
    rtt, short = ["--set", "links.wan.rtt=5ms,40ms,80ms"], ["--set", "run.duration=30s"]
    yield run("curves", "sweep", str(HERE / "names.toml"), *rtt, *short)
    yield run("heat", "sweep", str(HERE / "names.toml"), *rtt, *short, "--set", "users.near.rate=5/s,20/s")
    pair = "<script>alert(1)</script>,\"both\" & 'more' </td>"
    yield run("break-even", "sweep", str(HERE / "names.toml"), "--break-even", pair, "--set", "links.wan.rtt=5ms..60ms")
    yield run("drill", "drill", str(HERE / "names.toml"), "--for", "30s", "--after", "10s", "--only", "link:*", "--only", "pods:*")
    subprocess.run([meshsim, "run", "fluidos-testbed", "--strategy", "none", "--set", "run.duration=4min", "--seed", "77",
                    "--replications", "1", "--quiet", "--request-log", "--out", scratch / "own"], check=True, capture_output=True)
    trace = subprocess.run([sys.executable, NOTEBOOKS / "jmeter_from_requests.py", scratch / "own" / "requests.csv"],
                           check=True, capture_output=True).stdout
    (scratch / "trace.csv").write_bytes(trace)
    yield run("validation", "validate", "fluidos-testbed", "--strategy", "none", "--trace", str(scratch / "trace.csv"),
              "--tolerance", "mean=50%", codes=(0, 1))


class Files:
    """The files of a folder, in which numbers are looked up."""

    def __init__(self, folder):
        self.folder, self.read = folder, {}

    def file(self, name):
        if name not in self.read:
            text = (self.folder / name).read_text()
            self.read[name] = json.loads(text) if name.endswith(".json") else list(csv.DictReader(text.splitlines()))
        return self.read[name]

    def at(self, source):
        name, where = source.split("#", 1)
        if name.endswith(".csv"):
            row, column = where.split("/", 1)
            return self.file(name)[int(row)][column]
        value = self.file(name)
        for key in where.split("/")[1:]:
            key = key.replace("~1", "/").replace("~0", "~")
            value = value[int(key)] if isinstance(value, list) else value[key]
        return value

    def numbers(self):
        """All numbers that stand in any file."""
        found = set()

        def walk(value):
            if isinstance(value, (int, float)):
                found.add(float(value))
            for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
                walk(inner)

        for path in self.folder.iterdir():
            if path.suffix == ".json":
                walk(self.file(path.name))
            elif path.suffix == ".csv":
                for row in self.file(path.name):
                    for cell in row.values():
                        try:
                            found.add(float(cell))
                        except ValueError:
                            pass
        return found

    def in_summary(self, row, column):
        """The same number as a row of metrics.csv has, where summary.json has it."""
        summary = self.file("summary.json")
        own = next(it for it in summary["strategies"] if it["name"] == plain(row["strategy"]))
        metric, of = row["metric"], own
        for key, label in (("applications", "application"), ("users", "user_group"), ("request_kinds", "request_kind")):
            of = of[key][plain(row[label])] if row[label] else of
        if metric in ("failures", "availability"):
            failed, done = sum(of["requests"]["failed"].values()), of["requests"]["completed"]
            if column != "value" or failed + done == 0:
                return None
            # The file has the mean over replications, which are nearly of one size.
            share, written = (failed if metric == "failures" else done) / (failed + done), float(row["value"])
            return written if abs(share - written) <= 0.1 * share else share
        if metric == "mean_difference_to_baseline_ms":
            found = next(it for it in summary["paired"] if it["strategy"] == own["name"])["mean_difference_ms"]
        elif metric == "ready_pods":
            found = own["workloads"][row["service"]][row["cluster"]]["ready_pods"]
        else:
            names = metric.split(".") + [row[it] for it in ("service", "cluster", "to_cluster", "outcome") if row[it]]
            found = of
            for name in names:
                # What did not happen is not listed.
                found = found.get(name, 0) if names[0] == "requests" else found[name]
            if not isinstance(found, dict) and column != "value":
                found = {"value": found, "ci95": own["ci95"].get(".".join(names))}
        if isinstance(found, dict):
            ends = found.get("ci95") or [None, None]
            found = {"value": found["value"], "low": ends[0], "high": ends[1]}[column]
        return found


def plain(cell):
    """A cell without the apostrophe that keeps spreadsheets from taking it for a formula."""
    return cell[1:] if re.match(r"'[=+\-@\t\r]", cell) else cell


def rounding(text):
    """How far a number may be from the one that is shown."""
    mantissa, _, exponent = text.lower().partition("e")
    decimals = len(mantissa.partition(".")[2])
    return 0.5000001 * 10.0 ** (int(exponent or 0) - decimals)


def check_numbers(page, folder):
    """Every number of the page is that of the file it names, and that of summary.json, and no table has another."""
    files = Files(folder)
    shown = page.evaluate("""() => [...document.querySelectorAll("data[data-from]")].map(it =>
        [it.value, it.dataset.from, Number(it.dataset.scale || 1), it.textContent])""")
    assert len(shown) > 10, len(shown)
    for value, source, scale, text in shown:
        there = float(files.at(source))
        assert float(value) == there, (value, source, there)
        assert abs(float(text) - there * scale) <= rounding(text) + 1e-12 * abs(there * scale), (text, source, there)
        if source.startswith("metrics.csv#"):
            row, column = source.split("#")[1].split("/")
            known = files.in_summary(files.file("metrics.csv")[int(row)], column)
            assert known is None or abs(known - there) <= 1e-12 * abs(there), (source, known, there)
    stray = page.evaluate(r"""() => [...document.querySelectorAll("td:not(.text)")].filter(it => !it.closest(".texts")).flatMap(it => {
        const copy = it.cloneNode(true);
        copy.querySelectorAll("data, [title]").forEach(inner => inner.remove());
        return /\d/.test(copy.textContent) ? [copy.textContent] : [];
    })""")
    assert not stray, stray[:5]
    for source, text in page.evaluate("""() => [...document.querySelectorAll("#conclusion p")].map(it => [it.dataset.from, it.textContent])"""):
        assert files.at(source).replace("`", "") == text, (source, text)
    check_charts(json.loads(charts_of(page), object_hook=expanded), files)
    return len(shown)


def charts_of(page):
    return page.evaluate("""() => document.getElementById("charts").textContent""")


def expanded(value):
    """Rows that name their columns once, as objects."""
    if isinstance(value.get("columns"), list) and isinstance(value.get("rows"), list):
        return [dict(zip(value["columns"], row)) for row in value["rows"]]
    return value


def check_charts(charts, files):
    known = files.numbers()

    def rows(spec):
        yield from spec.get("data", {}).get("values", ())
        for layer in spec.get("layer", ()):
            yield from rows(layer)

    for name, variants in charts.items():
        for variant in variants:
            for row in rows(variant["spec"]):
                for field in FROM_FILES & row.keys():
                    assert row[field] is None or float(row[field]) in known, (name, field, row)
    if "latency_histogram.csv" in {it.name for it in files.folder.iterdir()}:
        counts = {}
        for row in files.file("latency_histogram.csv"):
            counts.setdefault(plain(row["strategy"]), []).append((float(row["upper_ms"]), int(row["count"])))
        for point in charts["distribution"][0]["spec"]["data"]["values"]:
            own = counts[point["strategy"]]
            below = sum(count for upper, count in own if upper <= point["ms"])
            assert abs(below / sum(count for _, count in own) - point["share"]) < 1e-7, point


def check_page(context, folder, file, pictures, name):
    """What a reader does with the page, at one width."""
    page = context.new_page()
    complaints, requests = [], []
    page.on("console", lambda it: complaints.append(it.text))
    page.on("pageerror", lambda it: complaints.append(str(it)))
    page.on("dialog", lambda it: (complaints.append("a dialog"), it.dismiss()))
    page.on("request", lambda it: requests.append(it.url))
    page.goto(file.as_uri())
    width = page.viewport_size["width"]
    # Folded parts by their summaries, as a reader opens them.
    for summary in page.query_selector_all("details:not([open]) > summary"):
        summary.evaluate("it => it.click()")
    page.evaluate("""async () => { for (const box of document.querySelectorAll("[data-chart]")) {
        box.scrollIntoView(); await new Promise(done => requestAnimationFrame(done)); } scrollTo(0, 0); }""")
    drawn = """() => [...document.querySelectorAll("[data-chart]")].every(it => it.dataset.drawn === (it.dataset.variant || "0"))"""
    page.wait_for_function(drawn, timeout=20_000)
    for select in page.query_selector_all("select[data-picks]"):
        last = select.evaluate("it => it.options.length - 1")
        for option in {1, last // 2 + 1, last} if width > 500 else {1}:
            select.select_option(index=min(option, last))
            page.wait_for_function(drawn, timeout=20_000)
    bad = page.evaluate("""() => [...document.querySelectorAll("[data-chart]")].filter(it => {
        const svg = it.querySelector("svg");
        return !svg || !svg.querySelector("path[d], text") || /NaN|Infinity|undefined/.test(svg.outerHTML) ||
            svg.getBoundingClientRect().width > it.getBoundingClientRect().width + 1; }).map(it => it.dataset.chart)""")
    assert not bad, bad
    cut_off = page.evaluate("""() => [...document.querySelectorAll("[data-chart] svg")].flatMap(svg => {
        const box = svg.getBoundingClientRect();
        return [...svg.querySelectorAll("text")].filter(it => {
            const own = it.getBoundingClientRect();
            return own.width > 0 && getComputedStyle(it).opacity !== "0" &&
                (own.left < box.left - 1 || own.right > box.right + 1 || own.top < box.top - 1 || own.bottom > box.bottom + 1);
        }).map(it => `${svg.closest("[data-chart]").dataset.chart}: ${it.textContent}`); })""")
    assert not cut_off, cut_off
    # A table that goes on to the right says so, until one is at its end.
    for box in page.query_selector_all(".wide"):
        goes_on = box.evaluate("it => it.scrollWidth > it.clientWidth + 1 && it.clientWidth > 0")
        assert box.evaluate("it => it.classList.contains('goes-on')") == goes_on, box.get_attribute("aria-label")
    page.evaluate("""() => document.querySelectorAll(".wide").forEach(it => it.scrollLeft = it.scrollWidth)""")
    page.wait_for_function("""() => document.querySelectorAll(".goes-on").length === 0""", timeout=20_000)
    page.evaluate("""() => document.querySelectorAll(".wide").forEach(it => it.scrollLeft = 0)""")
    too_wide = page.evaluate("() => document.scrollingElement.scrollWidth - innerWidth")
    assert too_wide <= 0, too_wide
    # The way to a section, by keyboard alone; and a picker.
    page.keyboard.press("Tab")
    first = page.evaluate("() => document.activeElement.closest('nav') && document.activeElement.hash")
    assert first, "the first stop is the way to a section"
    page.keyboard.press("Enter")
    # A browser goes to a link of the page in its own time.
    page.wait_for_function("hash => location.hash === hash", arg=first, timeout=20_000)
    picker = page.query_selector("select[data-picks]")
    if picker:
        picker.focus()
        before = picker.input_value()
        page.keyboard.press("ArrowUp" if before != "0" else "ArrowDown")
        page.wait_for_function("([it, before]) => it.value !== before", arg=[picker, before], timeout=20_000)
        page.wait_for_function(drawn, timeout=20_000)
    # Of folded parts of a section one is as the next: axe looks at every cell, and takes as long.
    page.evaluate("""() => document.querySelectorAll("details").forEach(it => {
        it.open = it === it.parentElement.querySelector(":scope > details"); })""")
    found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    assert not found, [(it["id"], [node["html"][:200] for node in it["nodes"][:2]]) for it in found]
    # The same on the other ground, where nothing differs but colours.
    scheme = page.evaluate("() => matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light'")
    page.emulate_media(color_scheme="light" if scheme == "dark" else "dark")
    found = Axe().run(page, options={"runOnly": ["color-contrast"], "resultTypes": ["violations"]}).response["violations"]
    assert not found, [(it["id"], [node["html"][:200] for node in it["nodes"][:2]]) for it in found]
    page.emulate_media(color_scheme=scheme)
    count = check_numbers(page, folder)
    assert not complaints, complaints
    assert [urlparse(it).path for it in requests] == [file.as_uri().removeprefix("file://")], requests
    if pictures:
        page.evaluate("() => document.querySelectorAll('details').forEach(it => it.open = false)")
        page.screenshot(path=str(pictures / f"{name}-{width}-{scheme}.png"), full_page=True)
    page.close()
    return count


def main(meshsim, scratch, pictures=None):
    scratch, pictures = Path(scratch), pictures and Path(pictures)
    begun = time.monotonic()
    made = list(results(meshsim, scratch))
    print(f"{len(made)} results after {time.monotonic() - begun:.0f} s")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        for name, folder, file in made:
            size = file.stat().st_size
            assert size < BYTES_MAX, (name, size)
            again = scratch / "again.html"
            subprocess.run([meshsim, "report", folder, "--report", again], check=True, capture_output=True)
            assert again.read_bytes() == file.read_bytes(), f"{name}: a page that is made again is another one"
            for width, scheme in ((1200, "light"), (360, "dark")):
                context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, offline=True)
                count = check_page(context, folder, file, pictures, name)
                context.close()
            print(f"{name}: {size / 1e6:.2f} MB, {count} numbers, after {time.monotonic() - begun:.0f} s")
        browser.close()
    print(f"{len(made)} passed, 0 failed")


if __name__ == "__main__":
    main(*sys.argv[1:])
