"""Forgets the data, the logs and the passwords of one stack. Asks first."""
import os
import shutil
import sys
from pathlib import Path

from stack import down
from stack.place import Place
from stack.progress import Progress
from stack.servers.postgres import data_folder, socket_folder


def main():
    place = Place()
    if not place.folder.exists():
        print(f"nothing to forget: there is no {place.folder}")
        return
    # A wrong SLUICE_STACK_DIR must not cost somebody a home folder.
    if any(place.folder.iterdir()) and not (place.folder / "pids").is_dir():
        raise SystemExit(f"{place.folder} does not look like a stack, left alone")
    if "--yes" not in sys.argv[1:]:
        if not sys.stdin.isatty():
            raise SystemExit(f"this forgets every row, topic, schema and password in {place.folder}. "
                             "Nobody here to ask. Type: stack/run clean --yes")
        print(f"This stops the stack and forgets every row, topic, schema and password in {place.folder}.")
        if input("Type yes to go on: ").strip() != "yes":
            raise SystemExit("left as it was")
    with place.alone():
        down.stop(place, Progress())
        outside = [folder for folder in (data_folder(place), socket_folder(place)) if place.folder not in folder.parents]
        for folder in [*outside, place.folder]:
            shutil.rmtree(folder, ignore_errors=True)
    for folder in outside:
        if folder.parent.parent == Path("/var/lib/sluice-stack") and folder.parent.exists():
            os.rmdir(folder.parent)
    print(f"forgotten: {place.folder} (the downloads stay in the cache)")


if __name__ == "__main__":
    main()
