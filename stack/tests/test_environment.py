import os
import stat
import subprocess
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from stack import environment
from stack.place import Place


class Environment(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name) / "a stack"
        self.place = Place(self.folder, 0)
        self.place.make()

    def test_secrets_are_kept_and_addresses_follow_the_offset(self):
        first = environment.settle(self.place)
        second = environment.settle(Place(self.folder, 500))
        for key in environment.SECRETS:
            self.assertEqual(first[key], second[key], key)
        self.assertIn(":15432/", first["APP_ENV_ADMIN_DB_URL"])
        self.assertIn(":15932/", second["APP_ENV_ADMIN_DB_URL"])
        self.assertIn(":15932/sale", second["SALE__APP_ENV_DB_URL"])
        self.assertEqual("500", second["APP_ENV_PORT_OFFSET"])

    def test_a_missing_secret_is_added_and_what_a_person_added_stays(self):
        first = environment.settle(self.place)
        lines = self.place.env_file.read_text().splitlines()
        lines = [line for line in lines if not line.startswith("APP_ENV_CURSOR_SECRET=")] + ["RUST_LOG=debug"]
        self.place.env_file.write_text("\n".join(lines) + "\n")
        second = environment.settle(self.place)
        self.assertEqual("debug", second["RUST_LOG"])
        self.assertNotEqual(first["APP_ENV_CURSOR_SECRET"], second["APP_ENV_CURSOR_SECRET"])
        self.assertEqual(first["SLUICE_POSTGRES_PASSWORD"], second["SLUICE_POSTGRES_PASSWORD"])

    def test_two_stacks_share_no_secret(self):
        with tempfile.TemporaryDirectory() as other:
            place = Place(other, 0)
            place.make()
            one, two = environment.settle(self.place), environment.settle(place)
        for key in environment.SECRETS:
            self.assertNotEqual(one[key], two[key], key)

    def test_files_with_secrets_are_for_their_owner_only(self):
        environment.settle(self.place)
        for path in (self.place.env_file, environment.secrets_file(self.place)):
            self.assertEqual(0o600, stat.S_IMODE(path.stat().st_mode), path)

    def test_connect_and_the_rust_side_hold_the_same_replication_password(self):
        values = environment.settle(self.place)
        self.assertEqual(f"replication.password={values['APP_ENV_REPLICATION_PASSWORD']}\n",
                         environment.secrets_file(self.place).read_text())

    def test_a_shell_reads_the_same_values_even_from_a_folder_with_a_blank(self):
        values = environment.settle(self.place)
        seen = subprocess.run(["sh", "-c", f"set -a; . '{self.place.env_file}'; env"], capture_output=True, text=True,
                              check=True, env={"PATH": os.environ["PATH"]}).stdout.splitlines()
        for key, value in values.items():
            self.assertIn(f"{key}={value}", seen)

    def test_the_offset_of_the_last_start_is_remembered_until_another_is_given(self):
        environment.settle(Place(self.folder, 500))
        with mock.patch.dict(os.environ):
            os.environ.pop("SLUICE_PORT_OFFSET", None)
            self.assertEqual(500, Place(self.folder).offset)
            os.environ["SLUICE_PORT_OFFSET"] = "600"
            self.assertEqual(600, Place(self.folder).offset)


if __name__ == "__main__":
    unittest.main()
