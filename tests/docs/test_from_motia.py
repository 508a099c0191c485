"""The page about Motia: every test that it names is there."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from tests.docs.pages import DOCS, ROOT, blocks, section
from tests.projects import Project, modules_forgotten

SHOP = {
    "steps/orders/01-create-order.step.py": """
from src.services.numbers import next_number

config = {"type": "api", "name": "Order", "path": "/orders-of-motia", "method": "POST", "emits": []}

async def handler(req, context):
    return {"status": 201, "body": {"id": next_number()}}
""",
    "steps/orders/charge_step.py": """import stripe
from motia import queue

config = {"name": "Charge", "triggers": [queue("order.created")]}
""",
    "steps/orders/cancel-order.step.ts": """
export const config: ApiRouteConfig = {
  type: 'api', name: 'CancelOrder', path: '/orders/:id/cancel', method: 'POST',
  middleware: [authMiddleware],
}
""",
    "src/services/numbers.py": "def next_number(): return 1\n",
    "src/auth.ts": "",
    "requirements.txt": "stripe>=10\n",
    "package.json": '{"dependencies": {"motia": "1", "zod": "4"}}',
    ".env": "STRIPE_KEY=secret\n",
    "README.md": "",
}


def test_every_cell_of_the_table_names_a_test() -> None:
    table = section(DOCS / "from-motia.md", "Dialects").partition("| | before 0.1 |")[2]
    lines = [line for line in table.splitlines()[2:] if line.startswith("|")]
    cells = [cell.strip() for line in lines for cell in line.strip("|").split("|")[1:]]
    named = [re.fullmatch(r"`(\w+)`: `(\w+)`", cell) for cell in cells if cell]
    assert len(named) > 30
    for match in named:
        assert match
        [file] = [
            file
            for folder in ("dialects", "clients")
            if (file := ROOT / f"tests/{folder}/test_{match[1]}.py").exists()
        ]
        source = file.read_text("utf-8")
        assert f"\ndef test_{match[2]}(" in source, match[0]


@pytest.fixture
def modules_as_before() -> Iterator[None]:
    """Forget the modules that a test has imported."""
    with modules_forgotten():
        yield


@pytest.mark.django_db
@pytest.mark.usefixtures("modules_as_before")
def test_a_project_is_imported_as_printed(project: Project, tmp_path: Path) -> None:
    for path, text in SHOP.items():
        file = tmp_path / "shop-motia" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    out = io.StringIO()
    with pytest.raises(CommandError) as error:
        call_command(
            "motia_steps", "import", str(tmp_path / "shop-motia"), "--app", project.name, stdout=out
        )
    said = f"{out.getvalue()}CommandError: {error.value}"
    page = DOCS / "from-motia.md"
    printed = next(each.text for each in blocks(page) if "motia_steps import" in each.text)
    shown = said.replace(str(project.folder), "/srv/site/shop")
    assert printed.partition("\n")[2].strip() == shown.strip()
