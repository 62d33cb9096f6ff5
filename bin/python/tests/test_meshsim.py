"""The module as its users meet it: `python test_meshsim.py`, with the program on the path or in MESHSIM."""

import tempfile
import warnings
from pathlib import Path

import meshsim

SHORT = {"run.duration": "20s", "run.warm_up": "2s"}


def refusal(run):
    """The error that a call ends with."""
    try:
        run()
    except meshsim.MeshsimError as error:
        return error
    raise AssertionError("it was not refused")


def test_a_comparison_has_a_row_per_value_with_its_unit():
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / "kept"
        frame = meshsim.compare("slow-endpoint", SHORT, strategy=["round-robin"], replications=2, seed=7, out=out)
        assert (out / "summary.json").is_file() and (out / "requests.csv").exists() is False
        chart = meshsim.charts(out)["distribution"][0]["spec"]
        assert chart["$schema"].endswith("vega-lite/v6.json") and len(chart["data"]["values"]) > 50
        assert refusal(lambda: meshsim.charts(Path(scratch))).code == 2
    mean = frame[(frame["metric"] == "latency_ms.mean") & frame["user_group"].isna()]
    assert list(mean["strategy"]) == ["round-robin"] and list(mean["unit"]) == ["ms"]
    assert (mean["low"] <= mean["value"]).all() and (mean["value"] > 0).all()
    command = " ".join(frame.attrs["command"])
    assert command.startswith("compare scenario.toml --set run.duration=20s") and "--seed 7" in command, command


def test_a_sweep_has_numbers_beside_what_was_written():
    rates = {**SHORT, "users.edge1.rate": ["10/s", "20/s"], "run.seed": [1, 2]}
    frame = meshsim.sweep("slow-endpoint", rates, replications=2)
    assert sorted(frame["users.edge1.rate [1/s]"].unique()) == [10.0, 20.0]
    assert frame.attrs["units"]["users.edge1.rate [1/s]"] == "1/s" and frame.attrs["points"] == 4


def test_a_break_even_has_its_result_beside_the_points():
    rates = {**SHORT, "users.edge1.rate": "10/s..40/s"}
    frame = meshsim.sweep("slow-endpoint", rates, break_even="round-robin,least-request", replications=2)
    assert len(frame) >= 2 and frame.attrs["unit"] == "1/s" and len(frame.attrs["at_ends_ms"]) == 2, frame.attrs


def test_a_drill_takes_options_that_are_words_of_python():
    frame = meshsim.drill(
        "edge-outage", {"run.warm_up": "5s"}, strategy="self-contained", only=["link:*"], for_="10s", after="5s", replications=1
    )
    assert set(frame["failure"]) >= {"link:edge1-cloud:cut"} and frame["failing_during"].between(-1, 1).all()
    assert frame.attrs["units"]["moved_after_s"] == "s" and frame.attrs["units"]["p95_ms_low"] == "ms"


def test_a_validation_that_does_not_hold_is_a_result():
    with tempfile.TemporaryDirectory() as scratch:
        trace = Path(scratch) / "trace"
        trace.write_text("".join(f"{1_700_000_000_000 + 100 * k} \t {100 + k * 7919 % 900} \t 200\n" for k in range(4000)))
        frame = meshsim.validate("fluidos-testbed", SHORT, trace=trace, replications=2, tolerance="ks=0.001")
    verdict = frame.set_index("figure").loc["ks", "verdict"]
    assert "fail" in verdict.lower() and set(frame["unit"]) >= {"ms", "distance"}, verdict


def test_what_the_program_says_is_wrong_is_an_exception():
    error = refusal(lambda: meshsim.compare("fluidos-mesh", {"links.edge1-cloud.rtt": "20xs"}))
    assert error.code == 2 and "`20xs` is not a duration" in str(error), error
    error = refusal(lambda: meshsim.compare("slow-endpiont"))
    assert "did you mean the library scenario `slow-endpoint`?" in str(error), error
    error = refusal(lambda: meshsim.compare("slow-endpoint", no_such_option=True))
    assert error.code == 2 and "--no-such-option" in str(error), error


def test_warnings_are_warnings():
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        meshsim.compare("fluidos-mesh", {**SHORT, "mesh.data_plane": "sidecar"}, strategy="s0-s3-no-mesh", replications=1)
    assert any("--set mesh.data_plane wins over" in str(it.message) for it in said), said


if __name__ == "__main__":
    for name, test in list(globals().items()):
        if name.startswith("test_"):
            test()
            print(f"{name}: ok")
