"""The table of benchmarks: every area a section, and one that cannot run is a row that says why."""

import sys
import types

import pytest

from bench import __main__ as bench
from bench.row import Row
from device.errors import ModelError


@pytest.fixture
def area(monkeypatch):
    """Adds an area whose rows are given by a generator function."""

    def add(name, rows):
        module = types.ModuleType(f"bench.{name}")
        module.rows = rows
        monkeypatch.setitem(sys.modules, f"bench.{name}", module)
        monkeypatch.setattr(bench, "areas", lambda: (name,))

    return add


def ten():
    yield Row("mixing nine voices", "2.1 %", "<= 4 %", "silence 0.4 %", True)
    yield Row("late [blocks] | five minutes", "3", "0", met=False)


def test_rows_are_printed_with_what_they_are_compared_to_and_the_machine(area, capsys):
    area("toy", ten)
    assert bench.main([]) == 0
    text = capsys.readouterr().out
    for word in (
        "toy",
        "mixing nine voices",
        "2.1 %",
        "<= 4 %",
        "silence 0.4 %",
        "yes",
        "NO",
        "late [blocks]",
        "Python",
    ):
        assert word in text
    assert "measured on" in text


def test_markdown_is_a_table_an_area(area, capsys):
    area("toy", ten)
    assert bench.main(["toy", "--markdown"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "| what | measured | target | beside | met |" in lines
    assert "| mixing nine voices | 2.1 % | <= 4 % | silence 0.4 % | yes |" in lines
    assert "| late [blocks] \\| five minutes | 3 | 0 |  | NO |" in lines
    assert bench.machine() in lines[0]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ModelError("no factory bundle: run make bundle"), "ModelError: no factory bundle: run make bundle"),
        (ModuleNotFoundError("No module named 'torch'"), "No module named 'torch': make bench installs"),
        (ZeroDivisionError("division\nby zero"), "ZeroDivisionError: division by zero"),
    ],
)
def test_an_area_that_cannot_run_says_why_and_keeps_what_it_had(area, capsys, error, said):
    def rows():
        yield Row("first", "1")
        raise error

    area("toy", rows)
    assert bench.main(["--markdown"]) == 0
    text = capsys.readouterr().out
    assert "| first | 1 |" in text
    assert said in text
    assert "Traceback" not in text


def test_an_area_that_is_not_there_is_said_with_the_nearest(area, capsys):
    area("engine", ten)
    assert bench.main(["engin"]) == 2
    assert capsys.readouterr().err == "bench: unknown area 'engin': did you mean 'engine'?\n"


def test_areas_come_in_the_order_of_the_instrument():
    found = bench.areas()
    assert "row" not in found
    assert [name for name in found if name in bench.ORDER] == [name for name in bench.ORDER if name in found]


def test_the_machine_is_named():
    assert bench.processor()
    assert "numpy" in bench.machine()
    assert bench.board().startswith("measured on")
