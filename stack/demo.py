"""`make demo`: the demonstration alone, on the stack that is up."""
import os
import sys

from stack import supervise
from stack.place import ROOT, Place
from stack.servers.sluice import binary, rust_env


def main():
    place = Place()
    if not binary().exists() or not supervise.running(place, "sluice"):
        raise SystemExit("sluice is not up. Type: make up")
    os.chdir(ROOT)
    os.execve(binary(), [str(binary()), "demo", *sys.argv[1:]], rust_env(place))


if __name__ == "__main__":
    main()
