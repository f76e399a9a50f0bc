"""A client generated from the live document by a stock generator does what a till does."""
import importlib
import subprocess
import sys
import tempfile
import uuid
from pathlib import Path

import httpx

from sign_in import base, document, token


def generate(folder):
    """Generates the client of commerce; a warning is printed by the generator and is no failure."""
    file = folder / "commerce.json"
    file.write_bytes(httpx.get(document("commerce")).raise_for_status().content)
    done = subprocess.run(
        ["openapi-python-client", "generate", "--path", file, "--output-path", folder / "sluice_client", "--meta", "none"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def main():
    with tempfile.TemporaryDirectory() as name:
        generate(Path(name))
        sys.path.insert(0, name)
        models = importlib.import_module("sluice_client.models")
        client = importlib.import_module("sluice_client").AuthenticatedClient(base("commerce"), token())
        api = "sluice_client.api"

        def call(path, *arguments, **named):
            return importlib.import_module(f"{api}.{path}").sync_detailed(*arguments, client=client, **named)

        new = models.CreateMerchant(
            name="Cà phê Giảng", industry=models.Industry.FOOD_SERVICE, taxpayer=models.Taxpayer.HOUSEHOLD
        )
        key = str(uuid.uuid4())
        created = call("merchants.create_merchant", body=new, idempotency_key=key)
        assert created.status_code == 201, created
        again = call("merchants.create_merchant", body=new, idempotency_key=key)
        assert again.parsed.id == created.parsed.id, "a repeated create made another merchant"
        merchant = created.parsed.id

        category = models.CreateCategory(merchant_id=merchant, name="Cà phê trứng")
        category = call("categories.create_category", body=category, idempotency_key=str(uuid.uuid4()))
        assert category.status_code == 201 and category.parsed.slug == "ca-phe-trung", category
        listed = call("categories.list_categories", merchant_id=merchant)
        assert [item.name for item in listed.parsed.items] == ["Cà phê trứng"], listed

        patch = models.PatchCategory(name="Cà phê")
        stale = call("categories.patch_category", category.parsed.id, body=patch, if_match='"999"')
        assert stale.status_code == 412 and stale.parsed.code, stale
        etag = category.headers["etag"]
        patched = call("categories.patch_category", category.parsed.id, body=patch, if_match=etag)
        assert patched.status_code == 200 and patched.parsed.name == "Cà phê", patched

        etag = patched.headers["etag"]
        deleted = call("categories.delete_category", category.parsed.id, if_match=etag)
        assert deleted.status_code in (200, 204), deleted
        gone = call("categories.read_category", category.parsed.id)
        assert gone.status_code == 404, gone
        etag = call("merchants.read_merchant", merchant).headers["etag"]
        assert call("merchants.delete_merchant", merchant, if_match=etag).status_code in (200, 204)


if __name__ == "__main__":
    main()
