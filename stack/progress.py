"""Lines from several threads, each with its time since the start, and the time of each phase."""
import sys
import threading
import time
from contextlib import contextmanager


class Progress:
    def __init__(self, quiet=False):
        self.begin = time.monotonic()
        self.phases = []
        self.quiet = quiet
        self._lock = threading.Lock()

    def say(self, who, text):
        with self._lock:
            for line in str(text).splitlines() or [""]:
                print(f"{time.monotonic() - self.begin:6.1f}s  {who:<10} {line}", flush=True)

    def done(self, what, seconds):
        with self._lock:
            self.phases.append((what, seconds))

    @contextmanager
    def phase(self, what):
        begin = time.monotonic()
        try:
            yield
        finally:
            self.done(what, time.monotonic() - begin)

    def summary(self):
        with self._lock:
            print("\nphase                 seconds")
            for what, seconds in self.phases:
                print(f"  {what:<20}{seconds:7.1f}")
            print(f"  {'all':<20}{time.monotonic() - self.begin:7.1f}", flush=True)


@contextmanager
def heartbeat(progress, who, text, every=5.0):
    """Says that work goes on while nothing else is printed. `text` is asked each time."""
    stop = threading.Event()

    def beat():
        while not stop.wait(every):
            said = text()
            if said:
                progress.say(who, said)

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def fail(text):
    print(text, file=sys.stderr, flush=True)
    raise SystemExit(1)
