#!/usr/bin/env bash
# Executes the notebooks without a browser, on result files made for them or through the module of bin/, which it
# installs and tests.
#
#   notebooks/run.sh [OUTPUT_DIRECTORY]
#
# Writes the executed notebooks, pages of them without the code, and their pictures into
# OUTPUT_DIRECTORY (default: out/notebooks at the root of the repository).
#
# MESHSIM                the simulator's command (default: cargo run --release --quiet --); the module has its own
# MESHSIM_TRACES         the folder of the testbed's traces, for validation.ipynb (default: none; then
#                        single runs of the simulator stand in for them)
# MESHSIM_NOTEBOOK_VENV  a virtual environment to use and keep, made if it is not there
#                        (default: one in a temporary directory, made anew and removed)
# PYTHON                 what makes the virtual environment, 3.11 or newer (default: python3)
set -euo pipefail

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
root=$(dirname -- "$here")
output=${1:-$root/out/notebooks}
mkdir -p -- "$output"
output=$(cd -- "$output" && pwd)

if [[ -z ${MESHSIM:-} ]]; then
    simulator=(cargo run --release --quiet --manifest-path "$root/Cargo.toml" --)
elif [[ -x $MESHSIM ]]; then
    simulator=("$MESHSIM") # one path, even with spaces in it
else
    read -r -a simulator <<<"$MESHSIM"
fi

scratch=$(mktemp -d)
trap 'rm -rf -- "$scratch"' EXIT

venv=${MESHSIM_NOTEBOOK_VENV:-$scratch/venv}
if [[ ! -x $venv/bin/python ]]; then
    python=${PYTHON:-python3}
    if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
        echo "run.sh: $python is older than 3.11; name a newer one in PYTHON" >&2
        exit 1
    fi
    "$python" -m venv "$venv"
fi
venv=$(cd -- "$venv" && pwd)
# The module is built from the repository: where the simulator was, nothing is compiled again.
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --requirement "$here/requirements.txt" "$root/bin"

# What they print is in the result files too.
"${simulator[@]}" compare fluidos-mesh --replications 3 --set run.duration=3min \
    --quiet --out "$scratch/compare" >/dev/null
"${simulator[@]}" sweep fluidos-mesh --set links.edge1-cloud.rtt=1ms,5ms,10ms,20ms,40ms,80ms,160ms \
    --set run.duration=3min --replications 3 --strategy cloud-only --strategy s0-s3 \
    --quiet --out "$scratch/sweep" >/dev/null

# A check that does not hold (1) is a result as well.
validate() {
    "${simulator[@]}" validate --quiet --out "$scratch/validation" "$@" >/dev/null || [[ $? -eq 1 ]]
}
if [[ -n ${MESHSIM_TRACES:-} ]]; then
    validate --suite testbed --traces "$MESHSIM_TRACES"
else
    for strategy in none s0-s3 s0-s3-no-mesh all; do
        "${simulator[@]}" run fluidos-testbed --strategy "$strategy" --set run.duration=8min \
            --replications 1 --seed 77 --quiet --request-log --out "$scratch/own-run" >/dev/null
        "$venv/bin/python" "$here/jmeter_from_requests.py" "$scratch/own-run/requests.csv" >"$scratch/$strategy.csv"
    done
    validate --suite "$here/own.suite.toml" --traces "$scratch"
fi

# The module takes a path, or else the program that came with it.
[[ -x ${MESHSIM:-} ]] || unset MESHSIM
"$venv/bin/python" "$root/bin/python/tests/test_meshsim.py"

export MESHSIM_COMPARE_DIR=$scratch/compare
export MESHSIM_SWEEP_DIR=$scratch/sweep
export MESHSIM_VALIDATION_DIR=$scratch/validation
export MESHSIM_FIGURES_DIR=$output
# The virtual environment's kernel, without the user's own start-up files.
export JUPYTER_PREFER_ENV_PATH=1
export IPYTHONDIR=$scratch/ipython

export PATH=$venv/bin:$PATH
for notebook in fluidos_mesh validation break_even flash_crowd drill; do
    jupyter nbconvert --log-level WARN --to notebook --execute "$here/$notebook.ipynb" \
        --ExecutePreprocessor.extra_arguments=--log-level=ERROR \
        --output-dir "$output" --output "$notebook.ipynb"
    # This template keeps the pictures' descriptions; the page loads nothing from elsewhere.
    jupyter nbconvert --log-level WARN --to html --template classic --no-input "$output/$notebook.ipynb" \
        --HTMLExporter.mathjax_url= --HTMLExporter.require_js_url= --HTMLExporter.jquery_url= \
        --output-dir "$output" --output "$notebook.html"
done

echo "written to $output:"
ls -- "$output"
