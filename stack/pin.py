"""Writes the checksums of an artifact anew after its version was changed by hand in versions.json."""
import json
import shutil
import sys
import tempfile
from pathlib import Path

from stack import maven, versions
from stack.place import cache


def main():
    names = sys.argv[1:]
    book = versions.load()
    pins = book["artifacts"]
    if not names or any(n not in pins or pins[n]["from"] == "pip" for n in names):
        raise SystemExit("stack/run pin NAME...: " + ", ".join(n for n in pins if pins[n]["from"] != "pip")
                         + " (a wheel's sha256 is on its page in the index: copy it by hand)")
    cache().mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix="pin-", dir=cache()))
    try:
        maven.fetch({n: pins[n] for n in names}, work)
        for name in names:
            came = sorted(f for f in (work / name).iterdir() if f.is_file())
            pins[name]["sha256"] = {f.name: versions.sha256(f) for f in came}
            pins[name]["bytes"] = sum(f.stat().st_size for f in came)
            print(f"{name}: {len(came)} files")
    finally:
        shutil.rmtree(work)
    versions.FILE.write_text(json.dumps(book, indent=1) + "\n")
    print("now read: git diff stack/versions.json")


if __name__ == "__main__":
    main()
