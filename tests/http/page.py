"""The documentation page in a real Chromium: it renders every operation's group, with no network but this machine."""
import shutil
import subprocess
import sys
import tempfile

from sign_in import base


def main():
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        sys.exit("no Chromium: apt-get install chromium")
    for service, expected in [("commerce", ["merchants", "products"]), ("identity", ["Sluice identity"])]:
        with tempfile.TemporaryDirectory() as profile:
            page = subprocess.run(
                [
                    browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                    "--disable-background-networking", "--disable-component-update", "--disable-sync",
                    f"--user-data-dir={profile}", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
                    "--virtual-time-budget=20000", "--dump-dom", f"{base(service)}/v1/api/{service}/doc",
                ],
                capture_output=True,
                text=True,
                timeout=120,
            )
        missing = [text for text in expected if text not in page.stdout]
        assert page.returncode == 0 and not missing, f"{service}: {missing} not in the page\n{page.stderr[-2000:]}"


if __name__ == "__main__":
    main()
