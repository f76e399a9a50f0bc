import os
import socket
import subprocess
import sys
import unittest

from stack import ports


class Ports(unittest.TestCase):
    def test_a_taken_port_is_named_with_the_process_that_holds_it(self):
        with socket.socket() as held:
            held.bind(("127.0.0.1", 0))
            held.listen()
            port = held.getsockname()[1]
            self.assertFalse(ports.is_free(port))
            with self.assertRaises(ports.PortTaken) as caught:
                ports.demand_free([("kafka", port)])
        said = str(caught.exception)
        for part in (str(port), "kafka", f"pid {os.getpid()}", f"kill {os.getpid()}"):
            self.assertIn(part, said)

    def test_the_holder_is_named_without_its_arguments_which_may_hold_a_password(self):
        script = "import socket,time; s=socket.socket(); s.bind(('127.0.0.1',0)); s.listen(); print(s.getsockname()[1],flush=True); time.sleep(60)"
        child = subprocess.Popen([sys.executable, "-c", script, "hush-hush"], stdout=subprocess.PIPE, text=True)
        try:
            said = ports.who_holds(int(child.stdout.readline()), "redis")
        finally:
            child.kill()
            child.wait()
            child.stdout.close()
        self.assertIn(f"pid {child.pid}", said)
        self.assertNotIn("hush-hush", said)

    def test_all_taken_ports_are_named_at_once(self):
        with socket.socket() as one, socket.socket() as two:
            for held in (one, two):
                held.bind(("127.0.0.1", 0))
                held.listen()
            pairs = [("kafka", one.getsockname()[1]), ("redis", two.getsockname()[1])]
            with self.assertRaises(ports.PortTaken) as caught:
                ports.demand_free(pairs)
        self.assertEqual(2, len(str(caught.exception).splitlines()))

    def test_a_port_in_time_wait_is_not_taken(self):
        with socket.socket() as server:
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as every server does
            server.bind(("127.0.0.1", 0))
            server.listen()
            port = server.getsockname()[1]
            with socket.create_connection(("127.0.0.1", port)):
                server.accept()[0].close()
        server.close()
        self.assertTrue(ports.is_free(port))

    def test_no_two_names_share_a_port(self):
        numbers = list(ports.BASE.values())
        self.assertEqual(len(numbers), len(set(numbers)))

    def test_an_offset_that_reaches_the_ports_of_outgoing_connections_is_refused(self):
        self.assertEqual(500, ports.checked_offset("500"))
        for wrong in ("-100", "1700", "7", "many"):
            with self.assertRaises(SystemExit):
                ports.checked_offset(wrong)
        self.assertLess(max(ports.BASE.values()) + 1600, ports.CEILING)


if __name__ == "__main__":
    unittest.main()
