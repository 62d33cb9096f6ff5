#!/usr/bin/env bash
# Opens pages of results in a headless Chromium (browser.py).
#
#   bin/tests/report/run.sh [PICTURES]
#
# With PICTURES, photographs of the pages are written into that folder. Where there is no Chromium and none can be installed,
# it says so and is skipped.
#
# MESHSIM                the simulator's command (default: target/release/meshsim)
# MESHSIM_BROWSER_VENV   a virtual environment to use and keep, made if it is not there (default: one that is removed)
set -euo pipefail

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
root=$(cd -- "$here/../../.." && pwd)
simulator=${MESHSIM:-$root/target/release/meshsim}
pictures=${1:-}
[[ -z $pictures ]] || { mkdir -p -- "$pictures"; pictures=$(cd -- "$pictures" && pwd); }

if [[ ! -x /usr/bin/chromium ]]; then
    as_root=(); [[ $EUID == 0 ]] || as_root=(sudo)
    install() { "${as_root[@]}" apt-get install -y -qq chromium >/dev/null 2>&1; }
    if ! { install || { "${as_root[@]}" apt-get update -qq >/dev/null 2>&1 && install; }; }; then
        echo "skipped: pages in a browser (chromium is not here and could not be installed)"
        exit 0
    fi
fi

scratch=$(mktemp -d)
trap 'rm -rf -- "$scratch"' EXIT
venv=${MESHSIM_BROWSER_VENV:-$scratch/venv}
[[ -x $venv/bin/python ]] || "${PYTHON:-python3}" -m venv "$venv"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --requirement "$here/requirements.txt"
mkdir "$scratch/results"
"$venv/bin/python" "$here/browser.py" "$simulator" "$scratch/results" ${pictures:+"$pictures"}
