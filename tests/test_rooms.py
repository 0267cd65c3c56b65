"""The plan of the rooms, drawn from the imports: four floors, arrows down only, no circle at any level.

import-linter checks the same by its contracts (pyproject.toml); this test reads the sources by itself, so it also sees
imports inside functions and under TYPE_CHECKING, and needs no installation.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FLOORS = ("tui", "engine", "models", "data")

Graph = dict[str, set[str]]


def sources() -> Iterator[tuple[str, Path]]:
    """Each module of the product by its dotted name below the namespace; a package by the name of its folder."""
    for floor in FLOORS:
        for path in sorted((ROOT / floor).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


def imports(name: str, path: Path, known: set[str]) -> Iterator[str]:
    """The modules of the product that a module imports, by their dotted names."""
    package = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.ImportFrom):
            continue
        if node.level:
            base = ".".join([*package[: len(package) - node.level + 1], *filter(None, [node.module])])
        else:
            base = (node.module or "").removeprefix("minigpt_tui.")
        for alias in node.names:
            target = f"{base}.{alias.name}" if f"{base}.{alias.name}" in known else base
            if target in known and target != name:
                yield target


@pytest.fixture(scope="module")
def graph() -> Graph:
    found = dict(sources())
    return {name: set(imports(name, path, set(found))) for name, path in found.items()}


def assert_no_circle(graph: Graph) -> None:
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail("a circle: " + " <- ".join(error.args[1]))


def test_the_graph_is_that_of_the_sources(graph: Graph) -> None:
    assert "models.config" in graph["models.gpt"]
    assert len(graph) > 200


def test_the_arrows_between_the_floors_point_down(graph: Graph) -> None:
    upward = [
        f"{name} -> {target}"
        for name, targets in graph.items()
        for target in targets
        if FLOORS.index(target.split(".")[0]) < FLOORS.index(name.split(".")[0])
    ]
    assert upward == []


def test_the_ground_floor_imports_nothing_but_itself(graph: Graph) -> None:
    storage = {name: targets for name, targets in graph.items() if name.startswith("data.storage")}
    assert storage
    assert all(target.startswith("data.storage") for targets in storage.values() for target in targets)


def test_no_modules_import_each_other_in_a_circle(graph: Graph) -> None:
    assert_no_circle(graph)


def test_no_rooms_import_each_other_in_a_circle(graph: Graph) -> None:
    """Among the children of each package, a sub-package counts with all that lies in it."""
    for package in {name.rpartition(".")[0] for name in graph}:
        depth = len(package.split(".")) if package else 0
        inside = f"{package}." if package else ""
        children: Graph = {}
        for name, targets in graph.items():
            if not name.startswith(inside) or name == package:
                continue
            child = name.split(".")[depth]
            others = {t.split(".")[depth] for t in targets if t.startswith(inside) and t != package}
            children.setdefault(child, set()).update(others - {child})
        assert_no_circle(children)


@pytest.mark.parametrize("package", sorted(name for name, path in sources() if path.name == "__init__.py"))
def test_each_room_says_what_it_is(package: str) -> None:
    text = ast.get_docstring(ast.parse((ROOT / package.replace(".", "/") / "__init__.py").read_text(encoding="utf-8")))
    assert text
    assert len(text) > 60
