"""table.py FOLDER short|long: the table of faults from what each test left behind; the long one becomes bench/FAULTS.md."""
import json
import os
import subprocess
import sys
import time
from pathlib import Path

HEAD = """# Faults

Written by `make faults` (`FAULTS=long`): each line is one fault in the middle of random changes; what is counted is what was found when the fleet was quiet
again, beside a plain model of what was committed. *lost*: rows, documents and cached values that are not as they must be; *doubled*: once-only effects that
are there more than once; *regressed*: writes at an earlier position than the row had; *recovery*: from the moment the cause was gone until a change that was committed
then had its effect (the longest where a fault came several times). `SLUICE_FAULTS_SEED=<seed> tests/faults/run <name>` runs a day again.

"""


def seconds(ms):
    return "" if ms is None else f"{ms / 1000:.1f}"


def table(reports):
    lines = ["| # | fault | events | lost | doubled | regressed | parked | recovery, s | seed |", "|---|---|---|---|---|---|---|---|---|"]
    for r in reports:
        lines.append(
            f"| {r['number']} | {r['fault']} | {r['events']} | {r['lost']} | {r['doubled']} | {r['regressed']} | {r['parked']} "
            f"| {seconds(r['recovered_ms'])} | {r['seed']} |"
        )
    sums = [sum(r[what] for r in reports) for what in ("events", "lost", "doubled", "regressed")]
    lines.append(f"| | **{len(reports)} faults** | {sums[0]} | {sums[1]} | {sums[2]} | {sums[3]} | | | |")
    return "\n".join(lines) + "\n"


def main():
    folder, length = Path(sys.argv[1]), sys.argv[2]
    reports = sorted((json.loads(file.read_text()) for file in folder.glob("*.json")), key=lambda r: (r["number"], r["fault"]))
    text = table(reports)
    print(text)
    if length == "long" and reports:
        commit = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=True).stdout.strip()
        when = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
        build = "optimised build" + (" without link-time optimisation" if os.environ.get("CARGO_PROFILE_RELEASE_LTO") == "off" else "")
        head = f"{HEAD}{when}, commit {commit}, {os.cpu_count()} cores, {build}.\n\n"
        Path("bench/FAULTS.md").write_text(head + text)
        print("written: bench/FAULTS.md")


main()
