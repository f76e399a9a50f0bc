import hashlib
import json
import os
import re
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from stack import fetch, versions


def pin(**files):
    return {"from": "maven-tree", "version": "1", "bytes": 1,
            "sha256": {f"{name}.jar": hashlib.sha256(text).hexdigest() for name, text in files.items()}}


class Fetch(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.came = Path(folder.name) / "came"
        self.came.mkdir()
        environment = mock.patch.dict(os.environ, {"SLUICE_CACHE": str(Path(folder.name) / "cache")})
        environment.start()
        self.addCleanup(environment.stop)
        (Path(folder.name) / "cache").mkdir()

    def test_a_changed_file_a_missing_one_and_one_too_many_are_all_refused(self):
        (self.came / "a.jar").write_bytes(b"a")
        fetch.verify(pin(a=b"a"), self.came)
        for wrong in (pin(a=b"other"), pin(a=b"a", b=b"b"), pin()):
            with self.assertRaises(fetch.BadChecksum):
                fetch.verify(wrong, self.came)

    def test_nothing_is_installed_that_failed_its_checksum(self):
        (self.came / "a.jar").write_bytes(b"evil")
        with self.assertRaises(fetch.BadChecksum):
            fetch._install("kafka", pin(a=b"a"), self.came)
        self.assertFalse(versions.folder("kafka", pin(a=b"a")).exists())

    def test_a_file_damaged_in_the_cache_is_found(self):
        (self.came / "a.jar").write_bytes(b"a")
        good = pin(a=b"a")
        with mock.patch.object(versions, "artifacts", lambda: {"kafka": good}):
            fetch._install("kafka", good, self.came)
            self.assertEqual([], fetch.damaged("kafka"))
            (versions.folder("kafka") / "a.jar").write_bytes(b"rot")
            self.assertEqual(["a.jar"], fetch.damaged("kafka"))

    def test_another_pin_is_another_folder(self):
        self.assertNotEqual(versions.folder("kafka", pin(a=b"a")), versions.folder("kafka", pin(a=b"b")))

    def test_every_artifact_is_pinned_by_sha256(self):
        for name, artifact in versions.artifacts().items():
            self.assertTrue(artifact["sha256"], name)
            for file, digest in artifact["sha256"].items():
                self.assertRegex(digest, re.compile(r"^[0-9a-f]{64}$"), file)

    def test_versions_are_written_nowhere_else(self):
        pinned = {a["version"] for a in versions.artifacts().values()}
        for file in versions.FILE.parent.rglob("*.py"):
            if "tests" not in file.parts:
                for version in pinned:
                    self.assertNotIn(version, file.read_text(), file)
        self.assertTrue(json.loads(versions.FILE.read_text()))


if __name__ == "__main__":
    unittest.main()
