"""Follows the logs, all of them or those that are named."""
import os
import sys

from stack.place import Place


def main():
    place = Place()
    there = {log.stem: log for log in sorted(place.logs.glob("*.log"))} if place.logs.exists() else {}
    if not there:
        raise SystemExit(f"no logs in {place.logs} yet. Type: make up")
    names = [name for name in sys.argv[1:] if name != "--"] or list(there)
    unknown = [name for name in names if name not in there]
    if unknown:
        raise SystemExit(f"no log of {', '.join(unknown)}. There are: {', '.join(there)}")
    os.execvp("tail", ["tail", "-n", "20", "-F", *(str(there[name]) for name in names)])


if __name__ == "__main__":
    main()
