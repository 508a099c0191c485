"""`motia_steps import`: small Motia projects of each dialect, brought into an app and run."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from importlib.machinery import ModuleSpec
from pathlib import Path
from textwrap import dedent
from types import ModuleType

import pytest

from motia_django import state
from motia_django.celery_app import project_app
from tests.commands.conftest import Fails, Steps
from tests.dialects.firing import all_went_well, sent, ticked
from tests.projects import Project, modules_forgotten
from tests.web.serving import post, served

pytestmark = [pytest.mark.django_db, pytest.mark.one_database]


class Motia:
    """A Motia project's folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()

    def write(self, path: str, source: str | bytes = "") -> Path:
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        text = source if isinstance(source, bytes) else dedent(source).lstrip("\n").encode()
        file.write_bytes(text)
        return file


@pytest.fixture
def motia(tmp_path: Path) -> Iterator[Motia]:
    """Return an empty folder; forget afterwards what its modules were imported as."""
    with modules_forgotten():
        yield Motia(tmp_path / "motia")


def written(project: Project) -> set[str]:
    """Return the app's files."""
    files = (each for each in project.folder.rglob("*") if each.is_file())
    paths = {each.relative_to(project.folder).as_posix() for each in files}
    return {each for each in paths if "__pycache__" not in each} - {"__init__.py"}


STEP = 'config = {"type": "event", "name": "Step", "subscribes": ["go"], "emits": []}\n'
STEP += "async def handler(input, context): pass\n"


# -- what is copied


def test_a_project_of_0_x_runs(motia: Motia, project: Project, steps: Steps) -> None:
    motia.write(
        "steps/orders/01-create-order.step.py",
        """
        from src.services.numbers import number

        config = {"type": "api", "name": "Create order", "path": "/orders", "method": "POST",
                  "emits": ["order.created"], "flows": ["orders"]}

        async def handler(req, context):
            order = {"id": number(), **req.get("body", {})}
            await context.emit({"topic": "order.created", "data": order})
            return {"status": 201, "body": order}
        """,
    )
    motia.write(
        "steps/orders/02_keep_order_step.py",
        """
        config = {"type": "event", "name": "Keep order", "subscribes": ["order.created"],
                  "emits": [], "flows": ["orders"]}

        async def handler(input, context):
            await context.streams.orders.set("all", input["id"], input)
            await context.state.set("orders", input["id"], input)
        """,
    )
    motia.write("steps/orders/orders.stream.py", 'config = {"name": "orders", "schema": None}\n')
    motia.write("src/services/numbers.py", "from .texts import TEXT\ndef number(): return TEXT\n")
    motia.write("src/services/texts.py", 'TEXT = "o-1"\n')
    report = steps("import", str(motia.folder), "--app", project.name)
    assert "loads as 2 Steps and 1 stream." in report
    assert written(project) == {
        "steps/orders/01-create-order.step.py",
        "steps/orders/02_keep_order_step.py",
        "steps/orders/orders.stream.py",
        "src/services/numbers.py",
        "src/services/texts.py",
    }
    project.load()
    with served() as client:
        assert post(client, {"sku": "A"}, "/orders").json() == {"id": "o-1", "sku": "A"}
    all_went_well()
    assert state.get("orders", "o-1") == {"id": "o-1", "sku": "A"}


def test_a_project_of_1_0_alpha_runs(motia: Motia, project: Project, steps: Steps) -> None:
    motia.write(
        "steps/tick_step.py",
        """
        from motia import cron, event, FlowContext

        config = {"name": "Tick", "triggers": [cron("0 * * * *"), event("tick")], "emits": []}

        async def handler(input, ctx: FlowContext):
            await ctx.state.set("ticks", ctx.trigger.type, 1)
        """,
    )
    report = steps("import", str(motia.folder), "--app", project.name)
    assert "1 import of motia renamed" in report
    project.load()
    ticked("Tick")
    sent("tick")
    assert state.list("ticks") == [1, 1]


def test_a_project_of_1_0_runs(motia: Motia, project: Project, steps: Steps) -> None:
    motia.write(
        "src/todos/create_step.py",
        """
        import motia
        from motia import (
            ApiRequest,
            http,
        )
        from .shared import GROUP

        config = {"name": "Create", "triggers": [http("POST", "/todos")], "enqueues": ["made"]}

        async def handler(request: ApiRequest):
            await motia.enqueue({"topic": "made", "data": request.body})
            return motia.ApiResponse(status=201, body={"group": GROUP})
        """,
    )
    motia.write(
        "src/todos/made_step.py",
        """
        from motia import stateManager; import motia as m
        from src.todos.shared import GROUP

        config = {"name": "Made", "triggers": [m.queue("made")]}

        def handler(input):
            stateManager.set(GROUP, "1", input)
        """,
    )
    motia.write("src/todos/shared.py", 'GROUP = "todos"\n')
    steps("import", str(motia.folder), "--app", project.name)
    project.load()
    with served() as client:
        assert post(client, {"text": "x"}, "/todos").json() == {"group": "todos"}
    all_went_well()
    assert state.get("todos", "1") == {"text": "x"}
    again = steps("import", str(motia.folder), "--app", project.name)
    assert "elsewhere" not in again


def test_only_what_imports_of_motia_say_is_changed(
    motia: Motia, project: Project, steps: Steps
) -> None:
    source = (
        "# é from motia import x\r\nimport os, motia, json as motia_json\r\n"
        'TEXT = "é"; from  motia  import queue as q\r\n'
        "def f():\r\n\tfrom motia.types import ApiRequest\r\n\timport motia as \\\r\n m\r\n"
        "x = 'import motia'\r\n" + STEP
    )
    motia.write("steps/x_step.py", b"\xef\xbb\xbf" + source.encode())
    steps("import", str(motia.folder), "--app", project.name)
    changed = source
    for old, new in (
        ("os, motia,", "os, motia_django as motia,"),
        ("from  motia  import", "from motia_django  import"),
        ("from motia.types import", "from motia_django import"),
        ("import motia as \\\r\n m", "import motia_django as m"),
    ):
        assert changed.count(old) == 1
        changed = changed.replace(old, new)
    assert (project.folder / "steps/x_step.py").read_bytes().decode() == changed


def test_modules_that_are_reached_are_copied_and_no_others(
    motia: Motia, project: Project, steps: Steps
) -> None:
    motia.write("steps/__init__.py")
    motia.write("steps/a/x_step.py", f"from lib.one import f\nfrom ..near import g\n{STEP}")
    motia.write("steps/near.py", "g = 1\n")
    motia.write("lib/__init__.py")
    motia.write("lib/one.py", "from . import two\nfrom lib import three\nf = 1\n")
    motia.write("lib/two/__init__.py", "import lib.four\n")
    for name in ("three", "four", "five"):
        motia.write(f"lib/{name}.py", "pass\n")
    motia.write("setup.py", "raise SystemExit\n")
    motia.write("tests/test_x.py", "import lib.five\n")
    motia.write("node_modules/x/steps/y_step.py", STEP)
    motia.write(".venv/lib/z.py", STEP)
    steps("import", str(motia.folder), "--app", project.name)
    assert written(project) == {
        "steps/__init__.py",
        "steps/a/x_step.py",
        "steps/near.py",
        "lib/__init__.py",
        "lib/one.py",
        "lib/two/__init__.py",
        "lib/three.py",
        "lib/four.py",
    }
    project.load()


def test_modules_that_are_found_once_they_are_there_are_no_missing_packages(
    motia: Motia, project: Project, steps: Steps
) -> None:
    motia.write(
        "src/orders/api/x_step.py",
        f'import sys\nsys.path.append("src")\nfrom deep.texts import A\nfrom near import B\n{STEP}',
    )
    motia.write("src/deep/texts.py", "A = 1\n")
    motia.write("src/orders/near.py", "B = 1\n")
    report = steps("import", str(motia.folder), "--app", project.name)
    assert "not installed" not in report
    assert project.only_step().name == "Step"


def test_dots_that_cannot_be_imported_leave_a_folders_name(
    motia: Motia, project: Project, steps: Steps
) -> None:
    motia.write("steps/v1.0/a.b.step.py", STEP)
    report = steps("import", str(motia.folder), "--app", project.name)
    assert "copy      steps/v1.0/a.b.step.py as steps/v1_0/a.b.step.py" in report
    assert project.only_step().name == "Step"


# -- what a person is told


def test_each_file_that_needs_a_person_is_told_of_and_why(
    motia: Motia, project: Project, steps: Steps
) -> None:
    motia.write("steps/x_step.py", STEP)
    motia.write("steps/x_step.tsx", "export const Node = () => <div/>")
    motia.write("steps/x.step.rb", "config = 1")
    motia.write("steps/prompt.txt")
    motia.write("src/mail.ts")
    motia.write("motia.config.ts")
    motia.write("motia-workbench.json", "[]")
    motia.write("tutorial.tsx")
    motia.write("plugins/cron/index.ts")
    motia.write("requirements.txt", "django>=5\nNo.Such-Package==1 # x\n-r other\nmotia\ngit+x://y")
    motia.write("package.json", '{"dependencies": {"motia": "1", "zod": "4"}}')
    motia.write(".env", "KEY=a-secret\n# X=1\nexport OTHER = 2\n")
    motia.write("README.md")
    told = json.loads(steps("import", str(motia.folder), "--app", project.name, "--format", "json"))
    notes = {each["file"]: each["notes"][0] for each in told["files"] if each["deed"] == "left"}
    assert notes == {
        ".env": "to be set in the environment: KEY, OTHER",
        "motia-workbench.json": "where Motia's workbench draws what: not needed",
        "motia.config.ts": notes["motia.config.ts"],
        "package.json": "packages to be replaced by Python's: zod",
        "plugins/cron/index.ts": "a plugin of Motia's: there are none here",
        "requirements.txt": "not installed here: No.Such-Package",
        "src/mail.ts": "TypeScript: what Steps need of it is to be written in Python",
        "steps/prompt.txt": "no Python: copy it if a Step reads it",
        "steps/x.step.rb": "rb: to be written in Python",
        "steps/x_step.tsx": "draws a Step in Motia's workbench: the console here draws its own",
        "tutorial.tsx": "of Motia's tutorial: not needed",
    }
    assert notes["motia.config.ts"].startswith("Motia's engine and its plugins;")
    assert told["others"] == 1


def test_a_file_that_is_named_by_what_is_copied_is_told_of(
    motia: Motia, project: Project, steps: Steps
) -> None:
    motia.write(
        "steps/ask_step.py",
        "import os, lib.rules\n"
        'PROMPT = os.path.join(os.path.dirname(__file__), "..", "prompts", "ask.txt")\n'
        f'NAMES = ["x", ".", "a.b", "prompts/*.md", "such.\\nname.md"]\n{STEP}',
    )
    motia.write("lib/rules.py", 'RULES = "data/rules.csv"')
    motia.write("lib/unused.py", 'OTHER = "other.csv"')
    for name in ("prompts/ask.txt", "prompts/else.txt", "data/rules.csv", "data/other.csv"):
        motia.write(name)
    told = json.loads(steps("import", str(motia.folder), "--app", project.name, "--format", "json"))
    assert {each["file"]: each["notes"] for each in told["files"] if each["deed"] == "left"} == {
        "data/rules.csv": ["named in lib/rules.py: copy it if it is read there"],
        "prompts/ask.txt": ["named in steps/ask_step.py: copy it if it is read there"],
    }
    assert told["others"] == 3


def test_who_is_compared_with_none_is_told_of(motia: Motia, project: Project, steps: Steps) -> None:
    motia.write(
        "streams/todos_stream.py",
        """
        def can_access(subscription, auth_context):
            if subscription.id is None or auth_context == 1:
                return False
            return auth_context is not None

        config = {"name": "todos", "canAccess": can_access, "schema": None,
                  "onJoin": lambda subscription, auth: None != auth}
        """,
    )
    motia.write("steps/x_step.py", f"authors = None\nprint(authors is None)\n{STEP}")
    report = steps("import", str(motia.folder), "--app", project.name)
    assert [line.strip() for line in report.splitlines() if "never None" in line] == [
        "line 4: `auth_context` is never None here: nobody counts as false",
        "line 7: `auth` is never None here: nobody counts as false",
    ]


def test_what_does_not_load_is_told_of_and_the_rest_runs(
    motia: Motia, project: Project, fails: Fails
) -> None:
    motia.write("steps/good_step.py", STEP)
    motia.write("steps/lacks_step.py", "import no_such_package\nimport os.path\n")
    motia.write("steps/odd_step.py", "from motia import get_instance, queue\nimport motia.core\n")
    motia.write("steps/python_2_step.py", 'print "x"\n')
    motia.write("steps/uses_step.py", "import motia\nx = lambda: motia.no_such_name\nconfig = {}\n")
    printed, error, code = fails("import", str(motia.folder), "--app", project.name)
    assert "line 1: the package `no_such_package` is not installed here" in printed
    assert "line 1: there is no `get_instance` in motia_django" in printed
    assert "line 2: `import motia.core` has no counterpart" in printed
    assert "is no Python: line 1: Missing parentheses" in printed
    assert "line 2: there is no `no_such_name` in motia_django" in printed
    assert "loads as 1 Step and 0 streams." in printed
    assert f"{project.folder}/steps/lacks_step.py:1: (motia.E001)" in printed
    assert (error, code) == ("6 errors with the imported files; what was imported stays", 1)


def test_a_name_that_is_taken_is_an_error_of_the_import_whichever_file_is_blamed(
    motia: Motia, project: Project, fails: Fails
) -> None:
    project.step("z_step.py", STEP)
    motia.write("steps/a_step.py", STEP)
    printed, error, code = fails("import", str(motia.folder), "--app", project.name)
    assert f"{project.folder}/steps/z_step.py:1: (motia.E008)" in printed
    assert (error, code) == ("1 error with the imported files; what was imported stays", 1)


def test_errors_of_before_are_not_told_as_the_imports(
    motia: Motia, project: Project, steps: Steps
) -> None:
    project.step("z_step.py", "config = {}")
    motia.write("steps/a_step.py", STEP)
    assert "ERROR" not in steps("import", str(motia.folder), "--app", project.name)


def test_what_does_not_load_is_taken_away_again_if_that_is_asked_for(
    motia: Motia, project: Project, fails: Fails, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    project.step("z_step.py", STEP)
    motia.write("steps/deep/a_step.py", STEP)
    before = written(project)
    words = ("import", str(motia.folder), "--app", project.name, "--or-nothing")
    printed, error, code = fails(*words)
    assert (error, code) == ("1 error with the imported files; so nothing was kept", 1)
    assert written(project) == before
    assert not (project.folder / "steps/deep").exists()
    assert "0 files" in printed


def test_a_step_that_every_write_of_state_starts_is_told_of(
    motia: Motia, project: Project, steps: Steps
) -> None:
    trigger = '{"type": "state", "condition": lambda input, ctx: False}'
    motia.write(
        "steps/a_step.py",
        f"config = {{'name': 'Watch', 'triggers': [{trigger}]}}\ndef handler(input, ctx): ...\n",
    )
    report = steps("import", str(motia.folder), "--app", project.name)
    assert (
        "Watch is started by every write of state in the project, and its condition is asked in a"
        " run of its own: a groupId narrows that down." in report
    )


def test_a_step_that_some_writes_of_state_start_is_as_it_was(
    motia: Motia, project: Project, steps: Steps
) -> None:
    motia.write(
        "steps/a_step.py",
        """
        triggers = [
            {"type": "state", "groupId": "a"},
            {"type": "state", "key": "b"},
            {"type": "state", "condition": lambda change: False},  # which is asked before a run
        ]
        config = {"name": "Watch", "triggers": triggers}
        def handler(input, ctx): ...
        """,
    )
    assert "Watch is" not in steps("import", str(motia.folder), "--app", project.name)


def test_schedules_that_may_be_due_at_other_times_are_told_of(
    motia: Motia, project: Project, steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    schedules = ("0 0 9 * * 2", "0 0 9 * * 2-6 2030", "0 0 9 * * MON#2", "0 9 * * 2")
    triggers = [{"type": "cron", "expression": each} for each in schedules]
    motia.write(
        "steps/a_step.py",
        f"config = {{'name': 'Due', 'triggers': {triggers}}}\ndef handler(input, ctx): ...\n",
    )
    words = ("import", str(motia.folder), "--app", project.name)
    report = steps(*words)
    told = [line for line in report.splitlines() if line.startswith("Due is due")]
    assert [each.split("by ")[1][:12] for each in told] == ["'0 0 9 * * 2", "'0 0 9 * * 2"]
    assert "'At 09:00 on Tuesday' by '0 0 9 * * 2'. Motia 1.0, unlike all others" in told[0]
    assert "Schedules are due by the clocks of" not in report
    monkeypatch.setattr(project_app().conf, "timezone", "Asia/Tokyo")
    monkeypatch.delitem(vars(project_app()), "timezone", raising=False)
    [*_, told_of_clocks] = json.loads(steps(*words, "--format", "json"))["remarks"]
    assert told_of_clocks.startswith("Schedules are due by the clocks of Asia/Tokyo")


def test_a_module_that_is_hidden_by_another_is_told_of(
    motia: Motia, project: Project, steps: Steps
) -> None:
    motia.write("steps/x_step.py", f"import json\nimport celery.later\nimport models\n{STEP}")
    motia.write("celery/later.py")
    motia.write("json.py")
    motia.write("models.py")
    report = steps("import", str(motia.folder), "--app", project.name, "--dry-run")
    assert "line 2: `celery` is found elsewhere first, in " in report
    assert "Django, or Celery, reads `models` of an app by itself" in report
    assert "`json`" not in report


def test_a_module_that_another_app_has_is_told_of(
    motia: Motia, project: Project, steps: Steps
) -> None:
    motia.write("steps/x_step.py", f"from src.one import X\n{STEP}")
    motia.write("src/one.py", "X = 1\n")
    other = ModuleType("src")
    other.__spec__ = ModuleSpec("src", None, is_package=True)
    other.__spec__.submodule_search_locations = ["/srv/other/src"]
    sys.modules["src"] = other
    report = steps("import", str(motia.folder), "--app", project.name, "--dry-run")
    assert "line 1: `src` is found elsewhere first, in /srv/other/src: rename it" in report


# -- nothing is half done


def test_a_dry_run_writes_nothing(motia: Motia, project: Project, steps: Steps) -> None:
    motia.write("steps/x_step.py", "raise RuntimeError('must not be imported')\n")
    report = steps("import", str(motia.folder), "--app", project.name, "--dry-run")
    assert report.splitlines() == [
        "copy      steps/x_step.py",
        "",
        "Nothing was written, since this was a dry run.",
    ]
    assert written(project) == set()


def test_what_is_there_already_stays_and_can_be_imported_again(
    motia: Motia, project: Project, steps: Steps, fails: Fails
) -> None:
    motia.write("steps/x_step.py", STEP)
    steps("import", str(motia.folder), "--app", project.name)
    again = steps("import", str(motia.folder), "--app", project.name)
    assert "same      steps/x_step.py" in again
    assert "0 files." in again
    motia.write("steps/x_step.py", f"{STEP}# changed\n")
    motia.write("steps/y_step.py", STEP)
    printed, error, code = fails("import", str(motia.folder), "--app", project.name)
    assert f"{project.folder}/steps/x_step.py is there already, and is another" in printed
    assert (error, code) == ("1 file cannot be imported, so nothing was written", 1)
    assert written(project) == {"steps/x_step.py"}
    assert (project.folder / "steps/x_step.py").read_text() == STEP


@pytest.mark.parametrize(
    ("there", "source", "why"),
    [
        ("steps/x.step.py", "steps/x.step.py", "is there already, and is another"),
        ("lib.py", "lib/one.py", "it would hide"),
        ("lib/one/__init__.py", "lib/one.py", "a folder of that name"),
        ("lib", "lib/one.py", "is no folder"),
    ],
)
def test_what_stands_in_the_way_is_named(
    motia: Motia, project: Project, fails: Fails, there: str, source: str, why: str
) -> None:
    project.write(there, "")
    motia.write("steps/a_step.py", f"import lib.one\n{STEP}")
    motia.write(source, "pass\n")
    printed, _, code = fails("import", str(motia.folder), "--app", project.name)
    assert f"refused   {source}" in printed
    assert why in printed
    assert code == 1
    assert written(project) == {there}


def test_two_files_that_would_be_one_are_refused(
    motia: Motia, project: Project, fails: Fails
) -> None:
    for name in ("a.b.step.ts", "a_b.step.ts", "a_b_step.py"):
        motia.write(
            f"steps/{name}",
            STEP if name.endswith("py") else "export const config = { name: 'X', type: 'noop' }",
        )
    printed, error, _ = fails("import", str(motia.folder), "--app", project.name, "--skeletons")
    assert "would be the same file as steps/a_b.step.ts" in printed
    assert error.startswith("3 files cannot be imported")
    assert written(project) == set()


def test_files_that_differ_by_a_dot_only_are_both_imported(
    motia: Motia, project: Project, steps: Steps
) -> None:
    for name in ("a.b_step.py", "a_b.step.py"):
        motia.write(f"steps/{name}", STEP.replace('"Step"', f'"{name}"'))
    assert "loads as 2 Steps" in steps("import", str(motia.folder), "--app", project.name)


def test_a_file_that_cannot_be_read_as_code_stops_all(
    motia: Motia, project: Project, fails: Fails, tmp_path: Path
) -> None:
    motia.write("steps/good_step.py", STEP)
    motia.write("steps/latin_step.py", "# é\n".encode("latin-1"))
    motia.write("steps/huge_step.py", b"#" * 1_000_001)
    outside = tmp_path / "secret.py"
    outside.write_text("SECRET = 1\n")
    (motia.folder / "steps/linked_step.py").symlink_to(outside)
    (motia.folder / "steps/folder").symlink_to(tmp_path)
    (motia.folder / "steps/gone.py").symlink_to("nowhere.py")
    printed, error, code = fails("import", str(motia.folder), "--app", project.name)
    for name, why in (
        ("latin_step.py", "not UTF-8: invalid continuation byte at byte 2"),
        ("huge_step.py", "larger than 1,000,000 bytes"),
        ("linked_step.py", "a link that leads out of the project"),
        ("folder", "a link that leads out of the project"),
        ("gone.py", "no regular file"),
    ):
        assert f"refused   steps/{name}\n{'':12}{why}\n" in printed
    assert (error, code) == ("5 files cannot be imported, so nothing was written", 1)
    assert written(project) == set()


def test_a_disk_that_refuses_a_file_leaves_nothing_behind(
    motia: Motia, project: Project, fails: Fails
) -> None:
    motia.write("lib/a.py")
    motia.write("steps/a_step.py", f"import lib.a\n{STEP}")
    (project.folder / "steps").symlink_to("nowhere")
    _, error, code = fails("import", str(motia.folder), "--app", project.name)
    assert "steps/a_step.py cannot be written: File exists; nothing was written" in error
    assert code == 1
    left = {each.name for each in project.folder.iterdir()} - {"__pycache__"}
    assert left == {"__init__.py", "steps"}


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("nowhere", "is no folder"),
        ("empty", "is no Motia project: there is no file such as x_step.py"),
        ("empty/x.py", "is no folder"),
        ("motia/steps", "/motia?"),
        ("", "/motia?"),
    ],
)
def test_what_is_no_motia_project_is_told(
    motia: Motia, project: Project, fails: Fails, tmp_path: Path, path: str, why: str
) -> None:
    motia.write("steps/x_step.py", STEP)
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty/x.py").write_text("")
    _, error, code = fails("import", str(tmp_path / path), "--app", project.name)
    assert why in error
    assert code == 2


def test_an_app_has_to_be_said_where_there_are_several(motia: Motia, fails: Fails) -> None:
    _, error, code = fails("import", str(motia.folder))
    assert "Say which app it goes into with --app: " in error
    assert code == 2
    _, error, _ = fails("import", str(motia.folder), "--app", "nowhere")
    assert "No installed app with label 'nowhere'" in error


# -- Steps in other languages

TYPESCRIPT = """
    import { ApiRouteConfig, Handlers } from 'motia'
    import { z } from 'zod'
    import { TOPICS } from '../constants'

    const item = z.object({ sku: z.string().min(1), price: z.number().positive() })
    const bodySchema: z.ZodType<Foo> = z.object({
      email: z.string().email('not, an address'),
      kind: z.enum(['a', "b"]).default('a'),
      items: z.array(item).min(1), // at least one
      note: z.string().nullable().optional(),
      extra: z.record(z.string(), z.any()).optional(),
    })

    export const config: ApiRouteConfig = {
      type: 'api',
      name: 'CreateOrder',
      description: `Takes
    an order`,
      path: '/orders/:shop',
      method: 'POST' as const,
      emits: ['order.created', { topic: 'order.refused', label: 'No' }, TOPICS.X],
      flows: ['orders'],
      middleware: [auth({ role: 'x' }), log],
      bodySchema: bodySchema as any,
      responseSchema: {
        201: z.object({ id: z.string().uuid() }),
        400: z.object({ error: z.string() }).refine((x) => x.error),
      },
    } satisfies Foo<string, Bar>

    export const handler: Handlers['CreateOrder'] = async (req, { emit }) => {
      const config = { name: 'not this' }
    }
"""


def test_a_step_in_typescript_is_listed_and_nothing_is_written(
    motia: Motia, project: Project, steps: Steps
) -> None:
    motia.write("steps/01-orders.step.ts", TYPESCRIPT)
    report = steps("import", str(motia.folder), "--app", project.name)
    assert report.splitlines()[:6] == [
        "script    steps/01-orders.step.ts",
        "            step 'CreateOrder': http POST /orders/:shop; its handler is to be written in"
        " Python",
        "            left to you: emits.2: TOPICS.X",
        "            left to you: middleware: auth(...), log",
        "            left to you: responseSchema.400: z.object(...).refine(...) (.refine(...))",
        "",
    ]
    assert "--skeletons writes" in report
    assert written(project) == set()


def test_a_skeleton_says_what_the_config_says_and_waits_for_its_handler(
    motia: Motia, project: Project, steps: Steps
) -> None:
    motia.write("steps/01-orders.step.ts", TYPESCRIPT)
    options = ("--app", project.name, "--skeletons")
    shown = steps("import", str(motia.folder), *options, "--dry-run")
    assert "async def handler(request, ctx):" in shown
    assert written(project) == set()
    report = steps("import", str(motia.folder), *options)
    assert "skeleton  steps/01-orders.step.ts as steps/01-orders_step.py" in report
    step = project.only_step()
    [trigger] = step.triggers
    assert (step.name, step.description) == ("CreateOrder", "Takes\nan order")
    assert trigger.source == "POST /orders/:shop"
    assert [each.name for each in step.enqueues] == ["order.created", "order.refused"]
    assert step.flows == ("orders",)
    with served() as client:
        wrong = post(client, {"email": "a@b.c", "items": []}, "/orders/x")
        right = {"email": "a@b.c", "items": [{"sku": "s", "price": 1}], "note": None}
        assert wrong.status_code == 400
        assert post(client, right, "/orders/x").status_code == 500
    text = (project.folder / "steps/01-orders_step.py").read_text()
    assert text.startswith("# From steps/01-orders.step.ts\n# Left to you: emits.2: TOPICS.X\n")
    assert 'NotImplementedError("its handler is still in steps/01-orders.step.ts")' in text


@pytest.mark.parametrize(
    ("source", "triggers"),
    [
        (
            """
            export const config = {
              name: 'X',
              triggers: [
                { type: 'queue', topic: 'a', input: z.object({ id: z.number().int() }) },
                { type: 'cron', expression: '0 0 0 1 * * *' },
              ],
              enqueues: [],
            } as const satisfies StepConfig
            """,
            ["a", "0 0 0 1 * * *"],
        ),
        (
            """
            const NAME = "X", FLOW = 'f';
            const base = { name: NAME, flows: [FLOW] }
            exports.config = { ...base, type: "cron", cron: '*/5 * * * *', emits: [] };
            exports.handler = async () => /[/'"]/.test('x') ? `${1}` : 1
            """,
            ["*/5 * * * *"],
        ),
        (
            """
            export const stepConfig = { name: 'X', triggers: [http('GET', '/x'), queue('t')] }
            export const { config, handler } = step(stepConfig, async (input) => {})
            """,
            ["GET /x", "t"],
        ),
        (
            """
            export const config = { name: "X", triggers: [
              { type: "http", method: "PATCH", path: "/z", input: z.object({ a: z.string() }) },
            ] }
            """,
            ["PATCH /z"],
        ),
        (
            "export default step({ name: 'X', triggers: [api('GET', '/y')] }).handle((r) => r)",
            ["GET /y"],
        ),
        (
            "module.exports = { config: { name: 'X', type: 'event', subscribes: ['e'] } }",
            ["e"],
        ),
        (
            """
            const config = { name: 'X', type: 'event', subscribes: ['e'] }
            exports.config = config
            """,
            ["e"],
        ),
        (
            """
            let ignored, TOPICS: Record<string, Array<string>> = { 'a': 't' }, other, one = 1
            export const config = { name: 'X', ['triggers']: [
              { type: 'http', method: 'GET', path: '/x', middleware: [], condition: undefined,
                responseSchema: { [200]: z.string() } },
              queue(TOPICS['a']),
            ], flows: [`f${one}`], }
            """,
            ["GET /x", "t"],
        ),
        (
            """
            const API = { V1: '/api/v1' }, MANY = ['b', 'c'] as const
            const MADE = 'order'
              + '.made'
            export const config = { name: 'X', triggers: [
              http('GET', `${API.V1}/x`), http('GET', API.V1 + '/y'), queue(MADE),
            ], enqueues: ['a', ...MANY] }
            """,
            ["GET /api/v1/x", "GET /api/v1/y", "order.made"],
        ),
        ("export const config = { type: 'noop', name: 'X', virtualEmits: ['v'] }", []),
    ],
)
def test_configs_are_read_however_they_are_written(
    motia: Motia, project: Project, steps: Steps, source: str, triggers: list[str]
) -> None:
    motia.write("src/x_step.js", source)
    report = steps("import", str(motia.folder), "--app", project.name, "--skeletons")
    assert "left to you" not in report
    step = project.only_step()
    assert step.name == "X"
    assert [each.source for each in step.triggers] == triggers


def test_what_a_skeleton_cannot_have_is_left_to_a_person(
    motia: Motia, project: Project, steps: Steps
) -> None:
    motia.write(
        "steps/x.step.ts",
        """
        export const stepConfig = {
          name: 'X',
          version: 2,
          triggers: [
            http('POST', `${base()}/x`, { bodySchema: read }, (input) => input.a > 1),
            queue('made', undefined, isLarge),
            queue('sold', options),
            cron('0 9 * * *', () => isOpen()),
            state((input) => input.group_id === 'orders'),
            stream('todos', { groupId: 'a', condition: isNew }),
            { type: 'event', topic: 'paid', description: 'When it is paid' },
          ],
          enqueues: ['a', ...names(), names['b' + c]],
          [key('description')]: 'x',
        }
        """,
    )
    report = steps("import", str(motia.folder), "--app", project.name, "--skeletons", "--dry-run")
    left = [line.strip() for line in report.splitlines() if "# Left to you: " in line]
    assert [each.removeprefix("# Left to you: ") for each in left] == [
        "triggers.0.condition: (input) => input.a > 1",
        "triggers.0.path: `${base()}/x`",
        "triggers.0.bodySchema: read",
        "triggers.1.condition: isLarge",
        "triggers.2.options: options",
        "triggers.3.condition: () => isOpen()",
        "triggers.4.condition: (input) => input.group_id === 'orders'",
        "triggers.5.condition: isNew",
        "enqueues.1: ...names()",
        "enqueues.2: names['b' + c]",
        "triggers.6.description: When it is paid (no key that is known here)",
        "version: 2 (no key that is known here)",
        "[...]: x (no key that is known here)",
    ]
    assert "            and 3 more" in report
    assert '{"type": "queue", "topic": "paid"},' in report


def test_only_skeletons_that_were_not_asked_for_are_offered(
    motia: Motia, project: Project, steps: Steps
) -> None:
    motia.write("steps/x.step.ts", "export const config = make('x')")
    words = ("import", str(motia.folder), "--app", project.name)
    assert "--skeletons writes" in steps(*words)
    assert "--skeletons writes" not in steps(*words, "--skeletons")


def test_a_stream_in_typescript_is_complete(motia: Motia, project: Project, steps: Steps) -> None:
    motia.write(
        "streams/chat.stream.ts",
        """
        export const chatSchema = z.object({ id: z.string(), text: z.string() })
        export const config: StreamConfig = {
          name: 'chat', schema: chatSchema, baseConfig: { storageType: 'default' },
        }
        """,
    )
    report = steps("import", str(motia.folder), "--app", project.name, "--skeletons")
    assert "stream 'chat': complete" in report
    assert "chat" in project.load().streams


@pytest.mark.parametrize(
    "listener",
    [
        "canAccess: (subscription, auth) => auth.userId === subscription.groupId",
        "canAccess,",
        "canAccess(subscription) { return false }",
        "async canAccess(subscription) { return false }",
        "onJoin: async () => ({ unauthorized: true })",
    ],
)
def test_a_stream_that_kept_people_out_keeps_all_out_until_it_is_written(
    motia: Motia, project: Project, steps: Steps, listener: str
) -> None:
    motia.write(
        "streams/chat.stream.ts",
        f"export const config: StreamConfig = {{ name: 'chat', {listener} }}",
    )
    report = steps("import", str(motia.folder), "--app", project.name, "--skeletons")
    assert "stream 'chat': nobody may follow it until who may is written in Python" in report
    config = project.load().streams["chat"]
    assert config.can_access is not None
    assert config.can_access(None, None) is False


@pytest.mark.parametrize(
    "source",
    [
        "",
        "export const handler = async () => {}",
        "export const config = makeConfig('x')",
        "const a = b; const b = a; export const config = a",
        "export const config = " + "{a: " * 5000,
        "export const config = " + "f(" * 5000,
        "const a0 = [1, 1];"
        + "".join(f"const a{n + 1} = [a{n}, a{n}];" for n in range(40))
        + "export const config = { name: 'X', flows: a40 }",
        "export const config = { name: '",
        "\0 } ] ) export const config = [",
    ],
)
def test_a_config_that_cannot_be_read_is_told_of(
    motia: Motia, project: Project, steps: Steps, source: str
) -> None:
    motia.write("steps/x.step.ts", source)
    report = steps("import", str(motia.folder), "--app", project.name, "--skeletons")
    assert "ts: to be written in Python; its config cannot be read" in report
    assert written(project) == set()


def test_a_text_in_a_config_is_only_ever_a_text(
    motia: Motia, project: Project, steps: Steps
) -> None:
    motia.write(
        "steps/x\nimport os.step.ts",
        r'''
        export const config = {
          type: 'event', name: '"""\'\u{1F600}\\n + 1', description: `\\${x}`, subscribes: ['"'],
          emits: [f("\n# x")], infrastructure: left('\u2028'),
        }
        ''',
    )
    steps("import", str(motia.folder), "--app", project.name, "--skeletons")
    assert project.only_step().name == '"""\'\U0001f600\\n + 1'


CONSTANTS: dict[str, tuple[str, dict[str, str]]] = {
    "import { TOPICS } from '../topics'": (
        "TOPICS.made",
        {"topics.ts": "export const TOPICS = { made: 'order.made' } as const"},
    ),
    "import { type X, Topics as T } from '../topics.js'\nconst made = T.Made": (
        "made",
        {"topics.ts": "export enum Topics { Made = 'order.made', Paid = 'order.paid' }"},
    ),
    "import * as TOPICS from '@/2/constants'": (
        "TOPICS.made",
        {
            "constants/index.ts": "export * from './topics'",
            "constants/topics.ts": "const made = 'order.made'\nexport { made }",
        },
    ),
    "import TOPICS, { other } from 'src/3/topics'": (
        "TOPICS.made",
        {
            "names.ts": "export const made = 'order.made'",
            "topics.ts": "import { made as M } from './names'\nexport default { made: M }",
        },
    ),
    "const { TOPICS } = require('../topics')": (
        "TOPICS.made",
        {"topics.js": "module.exports = Object.freeze({ TOPICS: { made: 'order.made' } })"},
    ),
    "const TOPICS = require('../topics')": (
        "TOPICS.made",
        {"topics.js": "exports.made = 'order.made'"},
    ),
}


def test_constants_of_other_scripts_are_read(motia: Motia, project: Project, steps: Steps) -> None:
    for number, (imported, (topic, files)) in enumerate(CONSTANTS.items()):
        for path, text in files.items():
            motia.write(f"src/{number}/{path}", text)
        config = f"{{ type: 'event', name: '{number}', subscribes: [{topic}] }}"
        motia.write(f"src/{number}/orders/x.step.ts", f"{imported}\nexport const config = {config}")
    report = steps("import", str(motia.folder), "--app", project.name, "--skeletons")
    assert "left to you" not in report
    found = [step.triggers[0].source for step in project.load()]
    assert dict(zip(CONSTANTS, found, strict=True)) == dict.fromkeys(CONSTANTS, "order.made")


def test_schemas_of_other_scripts_are_read(motia: Motia, project: Project, steps: Steps) -> None:
    motia.write(
        "src/schemas.ts",
        """
        import { z } from 'zod'
        const id = z.string().uuid()
        export const order = z.object({ id, note: z.string().optional() })
        """,
    )
    motia.write(
        "src/made.step.ts",
        """
        import { z } from 'zod'
        import { order } from './schemas'
        const id = 'not this'
        export const config = {
          name: 'X', triggers: [{ type: 'queue', topic: 'made', input: z.array(order) }],
        }
        """,
    )
    report = steps("import", str(motia.folder), "--app", project.name, "--skeletons")
    assert "left to you" not in report
    [trigger] = project.only_step().triggers
    assert trigger.schema is not None
    item = trigger.schema.json_schema()["items"]
    assert item["properties"]["id"] == {"type": "string", "format": "uuid"}
    assert item["required"] == ["id"]


NOT_PLAIN = [
    "export const TOPICS = make('order')",
    "import { TOPICS } from './made.step'\nexport { TOPICS }",
    "export { TOPICS as OTHER, OTHER as TOPICS }",
    "export const TOPICS = { paid: 'order.paid' }",
    "export const TOPICS = {".ljust(2000, "{"),
    "import {" * 1000,
    "import import * * as from , from" * 1000,
    None,
]


def test_a_constant_that_is_not_plain_is_left_to_a_person(
    motia: Motia, project: Project, steps: Steps
) -> None:
    for number, text in enumerate(NOT_PLAIN):
        if text is not None:
            motia.write(f"src/{number}/topics.ts", text)
        motia.write(
            f"src/{number}/made.step.ts",
            f"""
            import {{ TOPICS }} from './topics'
            export {{ TOPICS }} from './topics'
            export const config = {{
              type: 'event', name: '{number}', subscribes: ['a', TOPICS.made]
            }}
            """,
        )
    report = steps("import", str(motia.folder), "--app", project.name, "--skeletons")
    assert report.count("left to you: subscribes.1: TOPICS.made") == len(NOT_PLAIN)
    assert [[each.source for each in step.triggers] for step in project.load()] == [
        ["a"] for _ in NOT_PLAIN
    ]


def test_a_script_that_leads_out_of_the_project_is_not_read(
    motia: Motia, project: Project, steps: Steps, tmp_path: Path
) -> None:
    (tmp_path / "secret.ts").write_text("export const KEY = 'secret'")
    motia.write("lib/x.ts")
    (motia.folder / "lib/link.ts").symlink_to(tmp_path / "secret.ts")
    motia.write(
        "src/made.step.ts",
        """
        import { KEY } from '../lib/link'
        import { KEY as OTHER } from '../../secret'
        export const config = { type: 'event', name: 'X', subscribes: ['a', KEY, OTHER] }
        """,
    )
    report = steps("import", str(motia.folder), "--app", project.name)
    assert "left to you: subscribes.1: KEY" in report
    assert "left to you: subscribes.2: OTHER" in report
    assert "secret" not in report


def test_steps_in_typescript_of_before_0_1_are_read(
    motia: Motia, project: Project, steps: Steps
) -> None:
    motia.write(
        "steps/one.step.ts",
        """
        import { FlowConfig, FlowExecutor } from 'wistro'
        export const config: FlowConfig<Input> = {
          name: 'One', subscribes: ['one'], emits: [{ type: 'two', label: 'Two' }], workflow: 'w',
        }
        export const executor: FlowExecutor<Input> = async (input, emit) => {}
        """,
    )
    motia.write(
        "steps/two.step.js", "export default { name: 'Two', type: 'event', subscribes: ['two'] }"
    )
    steps("import", str(motia.folder), "--app", project.name, "--skeletons")
    loaded = project.load()
    one = loaded.step("One")
    assert ([each.source for each in one.triggers], one.flows) == (["one"], ("w",))
    assert (one.enqueues[0].name, one.enqueues[0].label) == ("two", "Two")
    assert [each.source for each in loaded.step("Two").triggers] == ["two"]
