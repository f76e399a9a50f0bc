import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

from stack import supervise
from stack.place import Place

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]


class Supervise(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.place = Place(folder.name, 0)
        self.place.make()

    def spawned(self, argv=SLEEP):
        child = supervise.spawn(self.place, "kafka", argv)
        self.addCleanup(child.wait)
        self.addCleanup(child.kill)
        return child

    def test_a_process_that_was_started_is_seen_and_its_memory_counted(self):
        child = self.spawned()
        self.assertEqual(child.pid, supervise.running(self.place, "kafka").pid)
        self.assertGreater(supervise.pss_kib(child.pid), 0)

    def test_a_recycled_pid_is_not_taken_for_our_process(self):
        self.spawned()
        note = self.place.pids / "kafka"
        # The number lives, but it is this test: what the kernel does when numbers come round.
        note.write_text(json.dumps({**json.loads(note.read_text()), "pid": os.getpid()}))
        self.assertIsNone(supervise.running(self.place, "kafka"))
        self.assertEqual("was down", supervise.stop(self.place, "kafka"))  # and this test is still here

    def test_a_pid_file_from_before_a_reboot_is_not_believed(self):
        self.spawned()
        note = self.place.pids / "kafka"
        note.write_text(json.dumps({**json.loads(note.read_text()), "boot": "another"}))
        self.assertIsNone(supervise.running(self.place, "kafka"))

    def test_a_process_killed_by_hand_is_down_even_while_it_is_a_zombie(self):
        child = self.spawned()
        os.kill(child.pid, signal.SIGKILL)
        for _ in range(100):
            if supervise.start_time(child.pid) is None:
                break
            time.sleep(0.02)
        self.assertTrue(Path(f"/proc/{child.pid}").exists())  # nobody has waited for it yet
        self.assertIsNone(supervise.running(self.place, "kafka"))
        self.assertIsNotNone(supervise.noted(self.place, "kafka"))  # so status says "down", not "stopped"

    def test_one_that_does_not_listen_is_killed_and_its_children_too(self):
        script = ("import signal,subprocess,sys,time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
                  "subprocess.Popen([sys.executable,'-c','import time; time.sleep(60)']); print('on', flush=True); time.sleep(60)")
        child = self.spawned([sys.executable, "-c", script])
        while not self.place.log("kafka").read_text():
            time.sleep(0.02)
        family = supervise.children_of(child.pid)
        self.assertEqual(2, len(family))
        self.assertEqual("killed", supervise.stop(self.place, "kafka", patience=0.2))
        self.assertEqual([None, None], [supervise.start_time(pid) for pid in family])

    def test_the_last_useful_line_is_the_complaint_not_the_stack_trace_under_it(self):
        log = self.place.log("connect")
        log.write_text("ok\nERROR address already in use\n\tat java.base/Some.frame\nbye\n")
        self.assertEqual("ERROR address already in use", supervise.last_useful_line(log))
        log.write_text("one\ntwo\n\n")
        self.assertEqual("two", supervise.last_useful_line(log))
        self.assertIsNone(supervise.last_useful_line(self.place.log("nobody")))


if __name__ == "__main__":
    unittest.main()
