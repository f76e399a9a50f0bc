"""stack/run sluice ...: the built binary with the environment of this stack."""
import os
import sys

from stack.place import ROOT, Place
from stack.servers.sluice import binary, rust_env


def main():
    if not binary().exists():
        raise SystemExit("not built yet. Type: make up   or: cargo build --locked --bin sluice")
    os.chdir(ROOT)
    os.execve(binary(), [str(binary()), *sys.argv[1:]], rust_env(Place()))


if __name__ == "__main__":
    main()
