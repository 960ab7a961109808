"""What may import what: one direction between packages, ROS in nodes only, vendor SDKs late."""

import ast
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2]
MAY_IMPORT = {
    "hop_core": set(),
    "hop_drivers": {"hop_core"},
    "hop_policy": {"hop_core"},
    "hop_sim": {"hop_core", "hop_drivers", "hop_policy"},
}
WITHOUT_TORCH = {"hop_core", "hop_drivers"}
SDKS = {"xarm", "can", "pyzed"}
ROS = {
    "rclpy", "rcl_interfaces", "builtin_interfaces", "message_filters", "launch", "launch_ros",
}  # fmt: skip
ROS_ENDINGS = ("_msgs", "_srvs")


@dataclass(frozen=True)
class Import:
    """One import: the module's dotted name, and whether it happens when the file is imported."""

    module: str
    line: int
    at_module_level: bool

    @property
    def top(self) -> str:
        return self.module.split(".")[0]


def imports(code: str) -> Iterator[Import]:
    """Yield each import of a file, also `import_module("...")` of a literal name."""
    for level, node in walk(ast.parse(code), True):
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, node.lineno, level) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: relative import; write the full name"
            for alias in node.names:
                yield Import(f"{node.module}.{alias.name}", node.lineno, level)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            name = node.args[0]
            if isinstance(name, ast.Constant):
                yield Import(str(name.value), node.lineno, level)


def walk(node: ast.AST, level: bool) -> Iterator[tuple[bool, ast.AST]]:
    """Yield each node under `node` with whether it runs when the file is imported."""
    for child in ast.iter_child_nodes(node):
        inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        yield level, child
        yield from walk(child, level and not inside)


def is_ros(top: str) -> bool:
    return top in ROS or top.endswith(ROS_ENDINGS)


def faults(package: str, in_nodes: bool, code: str) -> list[str]:
    """Return what is wrong with the imports of one file of `package`."""
    found = []
    for each in imports(code):
        where = f"line {each.line}: {each.module}"
        if each.top in MAY_IMPORT and each.top not in MAY_IMPORT[package] | {package}:
            found.append(f"{where}: {package} may not import {each.top}")
        if each.top == "torch" and package in WITHOUT_TORCH:
            found.append(f"{where}: {package} runs without torch")
        if is_ros(each.top) and not in_nodes:
            found.append(f"{where}: only nodes/ imports ROS")
        if each.top in SDKS and each.at_module_level:
            found.append(f"{where}: vendor SDKs are imported when a device is opened")
        nodes_of = each.module.split(".")[:2]
        if nodes_of[1:] == ["nodes"] and each.top not in (package, "hop_core"):
            found.append(f"{where}: another package's nodes are met on topics")
    return found


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_imports_go_one_way(package):
    folder = SOURCE / package / package
    found = [
        f"{path.relative_to(SOURCE)}, {fault}"
        for path in sorted(folder.rglob("*.py"))
        for fault in faults(package, "nodes" in path.relative_to(folder).parts, path.read_text())
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_a_manifest_names_the_ros_packages_that_are_imported_and_no_others(package):
    manifest = ElementTree.parse(SOURCE / package / "package.xml")
    named = {each.text for each in manifest.iter("depend")}
    found = {
        each.top
        for path in (SOURCE / package / package).rglob("*.py")
        for each in imports(path.read_text())
        if is_ros(each.top) or each.top in MAY_IMPORT
    }
    assert found - {package} == named


def test_every_package_is_looked_at():
    present = {path.parent.name for path in SOURCE.glob("*/package.xml")}
    assert present == set(MAY_IMPORT)
    for package in MAY_IMPORT:
        assert len(list((SOURCE / package / package).rglob("*.py"))) > 10


@pytest.mark.parametrize(
    ("package", "in_nodes", "code"),
    [
        ("hop_core", False, "import hop_policy.contract"),
        ("hop_core", False, "def f():\n    from hop_sim.world import World"),
        ("hop_drivers", True, "from hop_policy import contract"),
        ("hop_policy", True, "from hop_drivers.target import Target"),
        ("hop_policy", False, "from hop_sim import world"),
        ("hop_drivers", False, "def f():\n    import torch"),
        ("hop_core", False, "from torch import nn"),
        ("hop_policy", False, "from sensor_msgs.msg import Image"),
        ("hop_sim", False, "def f():\n    import rclpy"),
        ("hop_drivers", False, "if True:\n    import can"),
        ("hop_drivers", False, "class A:\n    import pyzed.sl"),
        ("hop_drivers", False, "import importlib\nsdk = importlib.import_module('xarm.wrapper')"),
        ("hop_sim", True, "from hop_policy.nodes import policy_node"),
    ],
)
def test_a_wrong_arrow_is_noticed(package, in_nodes, code):
    assert len(faults(package, in_nodes, code)) == 1


@pytest.mark.parametrize(
    ("package", "in_nodes", "code"),
    [
        ("hop_sim", False, "from hop_policy.contract import PolicyContract"),
        ("hop_sim", False, "from hop_drivers.hand_pd import HandPd"),
        ("hop_drivers", True, "import rclpy\nfrom hop_core.nodes.runtime import HopNode"),
        ("hop_drivers", False, "def open():\n    import can"),
        ("hop_policy", False, "import torch"),
    ],
)
def test_a_right_arrow_passes(package, in_nodes, code):
    assert faults(package, in_nodes, code) == []


def test_relative_imports_are_refused():
    with pytest.raises(AssertionError, match="relative"):
        list(imports("from . import align"))
