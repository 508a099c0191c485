"""Discovery: from files to a registry, with every problem of every file."""

from __future__ import annotations

import gc
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.apps import apps
from django.test import override_settings

from motia_django import registry
from motia_django.apps import _refuse_to_work
from motia_django.declarations import Problem
from motia_django.discovery import discover, refuse_to_start, step_files
from motia_django.exceptions import SettingsError, StepFilesError
from tests.projects import Project


def step_source(name: str) -> str:
    """Return the shortest good Step file."""
    return f'''
        config = {{"name": "{name}", "triggers": [{{"type": "queue", "topic": "t"}}]}}


        def handler(input, ctx):
            return "{name}"
    '''


def only(problems: list[Problem]) -> Problem:
    """Return the one problem there is."""
    assert len(problems) == 1, list(map(str, problems))
    return problems[0]


def test_steps_are_found_at_any_depth_with_and_without_init_files(project: Project) -> None:
    project.step("a_step.py", step_source("A"))
    project.step("orders/b_step.py", step_source("B"))
    project.step("orders/deep/er/c_step.py", step_source("C"))
    project.step("packaged/__init__.py", "")
    project.step("packaged/d_step.py", step_source("D"))
    assert {step.name for step in project.load()} == {"A", "B", "C", "D"}


def test_steps_and_streams_are_found_below_src_too(project: Project) -> None:
    project.write("src/orders/a_step.py", step_source("A"))
    project.write("src/b.step.py", step_source("B"))
    project.write("src/c_stream.py", 'config = {"name": "c"}')
    assert [step.name for step in project.load()] == ["B", "A"]
    assert list(project.registry.streams) == ["c"]


def test_steps_are_found_where_steps_itself_is_a_package(project: Project) -> None:
    project.step("__init__.py", "")
    project.step("a_step.py", step_source("A"))
    assert [step.name for step in project.load()] == ["A"]


def test_steps_come_in_the_order_of_their_paths_however_they_were_written(
    project: Project,
) -> None:
    for path in ("z_step.py", "m/a_step.py", "a_step.py", "b_step.py", "m/Z_step.py"):
        project.step(path, step_source(path))
    names = [step.name for step in project.load()]
    assert names == ["a_step.py", "b_step.py", "m/Z_step.py", "m/a_step.py", "z_step.py"]


def test_only_files_named_as_steps_below_the_steps_folder_are_steps(project: Project) -> None:
    project.step("yes_step.py", step_source("Yes"))
    for path in ("helper.py", "step.py", "no_step.pyc", "no_step.txt", "no_steps.py"):
        project.step(path, "raise RuntimeError('must not be imported')")
    project.write("outside_step.py", "raise RuntimeError('must not be imported')")
    project.write("tests/steps/far_step.py", "raise RuntimeError('must not be imported')")
    assert [step.name for step in project.load()] == ["Yes"]


@pytest.mark.parametrize("folder", ["__pycache__", ".hidden", "ok/.cache", "ok/__old__"])
def test_hidden_and_cache_folders_are_left_alone(project: Project, folder: str) -> None:
    project.step(f"{folder}/x_step.py", "raise RuntimeError('must not be imported')")
    assert not list(project.load())


def test_a_folder_named_like_a_step_is_only_a_folder(project: Project) -> None:
    project.step("odd_step.py/helper.py", "")
    assert not list(project.load())


def test_a_link_to_a_step_is_one_and_a_link_to_nothing_is_a_problem(project: Project) -> None:
    steps = project.step("elsewhere.py", step_source("A")).parent
    (steps / "a_step.py").symlink_to(steps / "elsewhere.py")
    assert [step.name for step in project.load()] == ["A"]
    (steps / "b_step.py").symlink_to(steps / "nowhere.py")
    assert "ModuleNotFoundError" in only(project.problems()).message


def test_a_slip_in_the_name_of_config_or_handler_is_told(project: Project) -> None:
    project.step("a_step.py", "def handlr(input): ...\n\nconfg = {}\n")
    handler, config = (problem.message for problem in project.problems())
    assert handler == "a Step file needs a top-level `handler`; there is 'handlr'"
    assert config == "the file needs a top-level `config`; there is 'confg'"


@pytest.fixture
def thawed() -> Iterator[None]:
    """Nothing is kept from the garbage collector, as the tests themselves are."""
    gc.unfreeze()
    yield
    gc.enable()
    gc.freeze()


@pytest.mark.parametrize("was_enabled", [True, False])
def test_garbage_is_looked_for_as_before_once_all_is_loaded(
    project: Project, was_enabled: bool, thawed: None
) -> None:
    project.step("a_step.py", "import gc\n\nmeanwhile = gc.isenabled()")
    project.step("b_step.py", "raise RuntimeError")
    (gc.enable if was_enabled else gc.disable)()
    discover()
    assert gc.isenabled() is was_enabled
    assert gc.get_freeze_count() == 0
    assert sys.modules[f"{project.name}.steps.a_step"].meanwhile is False


def test_what_a_project_has_frozen_stays_so(project: Project, thawed: None) -> None:
    project.step("a_step.py", step_source("A"))
    gc.freeze()
    before = gc.get_freeze_count()
    discover()
    assert gc.isenabled() and gc.get_freeze_count() >= before // 2


@pytest.mark.parametrize("name", ["create-todo_step.py", "01_first_step.py", "größe_step.py"])
def test_file_names_need_not_be_identifiers(project: Project, name: str) -> None:
    project.step(name, step_source("A"))
    assert project.only_step().file.name == name


def test_a_step_is_a_module_of_its_app_and_imports_relatively(project: Project) -> None:
    project.write("texts.py", "WORD = 'from the app'")
    project.step("orders/prices.py", "PRICE = 5")
    project.step(
        "orders/charge_step.py",
        """
        from ...texts import WORD
        from .prices import PRICE

        config = {
            "name": WORD,
            "description": str(PRICE),
            "triggers": [{"type": "queue", "topic": "t"}],
        }

        def handler(): return __name__
        """,
    )
    step = project.only_step()
    assert (step.name, step.description) == ("from the app", "5")
    assert step.handler() == f"{project.name}.steps.orders.charge_step"
    assert step.app == project.name


def test_a_traceback_of_a_handler_names_the_file_and_shows_the_line(project: Project) -> None:
    file = project.step(
        "fail_step.py",
        """
        config = {"name": "Fail", "triggers": [{"type": "queue", "topic": "t"}]}

        def handler():
            raise ValueError("here")
        """,
    )
    with pytest.raises(ValueError, match="here") as caught:
        project.only_step().handler()
    frame = traceback.extract_tb(caught.value.__traceback__)[-1]
    assert (frame.filename, frame.lineno) == (str(file), 4)
    assert frame.line == 'raise ValueError("here")'


def test_each_file_is_imported_once_however_often_one_looks(project: Project) -> None:
    project.step("a_step.py", step_source("A"))
    project.load()
    module = sys.modules[f"{project.name}.steps.a_step"]
    (again,) = discover()
    assert again.handler is module.handler


def test_the_same_two_names_in_two_files_are_reported_at_the_second_with_the_first(
    project: Project,
) -> None:
    project.step("a_step.py", step_source("Same"))
    second = project.step(
        "b_step.py", "# a comment\n\n" + step_source("Same").replace("        ", "")
    )
    problem = only(project.problems())
    assert problem.id == "motia.E008"
    assert (problem.file, problem.line) == (second, 4)
    assert "'Same'" in problem.message
    assert "a_step.py" in problem.message


def test_a_syntax_error_is_reported_with_its_line_and_the_rest_still_loads(
    project: Project,
) -> None:
    file = project.step("bad_step.py", "config = {}\n\n\ndef handler(:\n    pass\n")
    project.step("good_step.py", step_source("Good"))
    problem = only(project.problems())
    assert (problem.id, problem.file, problem.line) == ("motia.E001", file, 4)
    assert "SyntaxError" in problem.message
    assert [step.name for step in project.registry] == ["Good"]


def test_an_import_error_is_reported_with_the_line_that_imports(project: Project) -> None:
    file = project.step("bad_step.py", "import os\n\nimport no_such_module_anywhere\n")
    problem = only(project.problems())
    assert (problem.id, problem.file, problem.line) == ("motia.E001", file, 3)
    assert "no_such_module_anywhere" in problem.message


def test_an_error_deeper_down_is_reported_at_the_line_of_the_step_file_that_led_there(
    project: Project,
) -> None:
    project.write("broken.py", "\n\n\n\n\n\n1 / 0\n")
    file = project.step("bad_step.py", "import os\nfrom .. import broken\n")
    problem = only(project.problems())
    assert (problem.file, problem.line) == (file, 2)
    assert "ZeroDivisionError" in problem.message


def test_a_syntax_error_in_a_helper_is_not_reported_at_the_helpers_line(project: Project) -> None:
    project.write("broken.py", "\n\n\n\n\n\ndef (:\n")
    file = project.step("bad_step.py", "import os\nfrom .. import broken\n")
    problem = only(project.problems())
    assert (problem.file, problem.line) == (file, 2)


def test_a_syntax_error_in_the_package_of_a_step_file_is_reported_at_its_place(
    project: Project,
) -> None:
    project.step("good_step.py", step_source("Good"))
    broken = project.step("__init__.py", "import os\n\n\ndef (:\n")
    problem = only(project.problems())
    assert (problem.id, problem.file, problem.line) == ("motia.E001", broken, 4)


@pytest.mark.parametrize(
    ("source", "line"), [("import os\n\n\ndef (:\n", 4), ("import os\n1 / 0\n", 2)]
)
def test_an_error_has_its_line_though_its_app_is_found_by_a_symbolic_link(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, line: int
) -> None:
    project.step("bad_step.py", source)
    link = tmp_path / "link"
    link.symlink_to(project.folder)
    monkeypatch.setattr(apps.get_app_config(project.name), "path", str(link))
    problem = only(project.problems())
    assert (problem.file, problem.line) == (link / "steps" / "bad_step.py", line)


@pytest.mark.parametrize(
    "source",
    [
        "raise SystemExit(3)",
        "import sys; sys.exit()",
        "raise Exception",
        "class Odd(Exception):\n    def __str__(self): return 'odd'\nraise Odd",
        "def f(): f()\nf()",
        "assert False, 'no'",
    ],
)
def test_whatever_a_file_raises_is_a_problem_of_that_file(project: Project, source: str) -> None:
    file = project.step("bad_step.py", source)
    problem = only(project.problems())
    assert (problem.id, problem.file) == ("motia.E001", file)
    assert problem.line


@pytest.mark.parametrize(
    "content", [b"config = '\xff'\n", b"x = 1\x00\n", b"# coding: no-such-codec\n"]
)
def test_bytes_that_are_no_python_text_are_a_problem(project: Project, content: bytes) -> None:
    file = project.step("bad_step.py", "")
    file.write_bytes(content)
    problem = only(project.problems())
    assert (problem.id, problem.file) == ("motia.E001", file)
    assert problem.line


def test_a_file_with_a_byte_order_mark_or_windows_lines_is_fine(project: Project) -> None:
    file = project.step("a_step.py", step_source("A"))
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes().replace(b"\n", b"\r\n"))
    assert project.only_step().line == 1


def test_a_dot_in_a_folder_name_is_explained(project: Project) -> None:
    file = project.step("v1.0/a_step.py", step_source("A"))
    problem = only(project.problems())
    assert (problem.id, problem.file, problem.line) == ("motia.E010", file, 1)
    assert "dot" in problem.message
    assert problem.hint


def test_a_steps_module_beside_the_steps_folder_is_explained(project: Project) -> None:
    project.write("steps.py", "")
    project.step("a_step.py", step_source("A"))
    problem = only(project.problems())
    assert problem.id == "motia.E001"
    assert "steps.py" in problem.hint


def test_a_steps_package_wins_over_a_steps_module(project: Project) -> None:
    project.write("steps.py", "")
    project.step("__init__.py", "")
    project.step("a_step.py", step_source("A"))
    assert project.only_step().name == "A"


def test_an_empty_file_lacks_both_its_parts(project: Project) -> None:
    project.step("a_step.py", "")
    assert {problem.id for problem in project.problems()} == {"motia.E002", "motia.E007"}


def test_five_mistakes_in_one_file_are_five_problems_with_line_and_remedy(
    project: Project,
) -> None:
    file = project.step(
        "wrong_step.py",
        """
        config = {
            "name": "",
            "flow": ["todos"],
            "triggers": [
                {"type": "http", "method": "PSOT", "path": "todos"},
                {
                    "type": "queue",
                },
            ],
        }


        def handler(input, ctx, more):
            pass
        """,
    )
    problems = {problem.line: problem for problem in project.problems()}
    assert {problem.file for problem in problems.values()} == {file}
    assert set(problems) == {2, 3, 5, 6, 13}
    texts = {line: str(problem) for line, problem in problems.items()}
    assert len(project.registry.problems) == 6, "line 5 has two mistakes"
    assert "a string that is not empty" in texts[2]
    assert "Did you mean 'flows'?" in texts[3]
    assert "'topic' is missing" in texts[6]
    assert "(input, ctx, more)" in texts[13]


def test_mistakes_of_all_files_are_reported_together(project: Project) -> None:
    project.step("a_step.py", "config = 1\nhandler = 2\n")
    project.step("b_step.py", "1 / 0\n")
    project.step("c_step.py", step_source("C").replace('"topic"', '"topics"'))
    found = project.problems()
    assert {problem.file.name for problem in found if problem.file} == {
        "a_step.py",
        "b_step.py",
        "c_step.py",
    }
    with pytest.raises(StepFilesError) as refused:
        refuse_to_start(project.registry)
    for problem in found:
        assert str(problem) in str(refused.value)
    assert str(refused.value).startswith(f"{len(found)} problems in Step files")


def test_nothing_is_refused_where_nothing_is_wrong(project: Project) -> None:
    project.step("a_step.py", step_source("A"))
    refuse_to_start(project.load())


def test_one_problem_is_spoken_of_in_the_singular(project: Project) -> None:
    project.step("a_step.py", "1 / 0\n")
    project.problems()
    with pytest.raises(StepFilesError, match=r"^1 problem in Step files"):
        refuse_to_start(project.registry)


def test_with_wrong_settings_django_is_set_up_and_nothing_is_started(project: Project) -> None:
    project.step("a_step.py", "1 / 0\n")
    with override_settings(MOTIA={"LEASES": 3}):
        apps.get_app_config("motia").ready()
        with pytest.raises(SystemExit, match="unknown key 'LEASES'. Did you mean 'LEASE'?"):
            _refuse_to_work()
        with pytest.raises(SettingsError):
            refuse_to_start(project.registry)


def test_an_app_that_is_not_installed_has_no_steps(project: Project) -> None:
    project.step("a_step.py", step_source("A"))
    with override_settings(INSTALLED_APPS=["motia_django"]):
        assert not list(step_files())


def test_the_fixture_leaves_the_samples_steps_as_they_were() -> None:
    assert "CreateTodo" in registry.registry()
    assert not [name for name in sys.modules if name.startswith("project_")]
