"""Turns `requests.csv` of `meshsim run --request-log` into results as JMeter writes them.

    python3 jmeter_from_requests.py requests.csv > results.csv

Requests that had not ended when the run did are left out, as a load generator would have waited for them.
"""

import csv
import sys

BEGIN_MS = 1_700_000_000_000  # some moment: only differences matter

with open(sys.argv[1], newline="", encoding="utf-8") as file:
    rows = [row for row in csv.DictReader(file) if row["status"]]

out = csv.writer(sys.stdout, lineterminator="\n")
out.writerow(["timeStamp", "elapsed", "label", "responseCode", "success", "bytes"])
for row in sorted(rows, key=lambda row: float(row["arrival_s"])):
    start = BEGIN_MS + round(1000 * float(row["arrival_s"]))
    ok = int(row["status"]) < 400
    out.writerow([start, round(float(row["latency_ms"])), row["population"], row["status"], str(ok).lower(), row["body_bytes"]])
