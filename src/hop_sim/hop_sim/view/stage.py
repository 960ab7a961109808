"""A drawing in viser's scene.

All that moves is moved by the poses of nodes. The page applies those together, before it draws;
other properties, such as the points of a line, follow later where drawing is slow, and a hand would
trail behind the robot that holds on to it.
"""

from __future__ import annotations

import numpy as np
import viser

from hop_sim.view.drawing import Drawing, Layer, Solid
from hop_sim.view.shapes import PointSet, Primitive, PrimitiveKind, triangles
from hop_sim.view.stroke_poses import stroke_poses

_POINT_M = 0.002
_ROUND = (PrimitiveKind.SPHERE, PrimitiveKind.CAPSULE)
_LENGTH_STEP_M = 0.0005  # strokes are stretched anew when they are off by more


class Stage:
    """Holds the nodes of one drawing after the other; one thread calls it."""

    def __init__(self, server: viser.ViserServer) -> None:
        """Begin empty."""
        self._server = server
        self._roots: dict[Layer, viser.FrameHandle] = {}
        self._solids: list[tuple[Solid, viser.SceneNodeHandle]] = []
        self._balls: list[_Balls] = []
        self._bars: list[_Bars] = []

    def show(self, drawing: Drawing, shown: frozenset[Layer], k: int) -> None:
        """Replace what is there by `drawing` at frame `k`; `shown` are the visible layers."""
        scene = self._server.scene
        with self._server.atomic():
            for root in self._roots.values():
                root.remove()
            self._roots = {
                layer: scene.add_frame(f"/{layer.value}", show_axes=False, visible=layer in shown)
                for layer in drawing.layers
            }
            self._solids = [(each, self._add_solid(each, k)) for each in drawing.solids]
            self._balls = [
                _Balls(scene, _node(each.layer, each.name), each.radius_m, each.points_m, each.rgb)
                for each in drawing.dots
            ]
            self._bars = [
                _Bars(scene, _node(each.layer, each.name), each.radius_m, each.ends_m, each.rgb)
                for each in drawing.strokes
            ]
            self.move_to(k)

    def set_visible(self, layer: Layer, visible: bool) -> None:
        """Show or hide a layer, if the drawing has it."""
        if layer in self._roots:
            self._roots[layer].visible = visible

    def move_to(self, k: int) -> None:
        """Move all that moves to frame `k`."""
        with self._server.atomic():
            for solid, node in self._solids:
                if len(solid.poses) > 1:
                    node.position, node.wxyz = solid.pose(k)[:3], solid.pose(k)[3:]
            for balls in self._balls:
                balls.move_to(k)
            for bars in self._bars:
                bars.move_to(k)

    def _add_solid(self, solid: Solid, k: int) -> viser.SceneNodeHandle:
        scene, name, shape = self._server.scene, _node(solid.layer, solid.name), solid.shape
        position, wxyz = solid.pose(k)[:3], solid.pose(k)[3:]
        if isinstance(shape, PointSet):
            return scene.add_point_cloud(
                name,
                np.asarray(shape.points_m, dtype=np.float32),
                colors=_bytes(solid.rgba),
                point_size=_POINT_M,
                point_shape="circle",
                precision="float32",
                position=position,
                wxyz=wxyz,
            )
        vertices, faces = triangles(shape)
        return scene.add_mesh_simple(
            name,
            vertices,
            faces,
            color=_bytes(solid.rgba),
            opacity=solid.rgba[3] if solid.rgba[3] < 1.0 else None,
            flat_shading=not (isinstance(shape, Primitive) and shape.kind in _ROUND),
            position=position,
            wxyz=wxyz,
        )


class _Balls:
    """A node for each of N dots."""

    def __init__(
        self,
        scene: viser.SceneApi,
        name: str,
        radius_m: float,
        points_m: np.ndarray,
        rgb: np.ndarray,
    ) -> None:
        self._points_m, self._rgb = points_m, rgb
        ball = triangles(Primitive(PrimitiveKind.SPHERE, (radius_m,)))
        self._nodes = [
            scene.add_mesh_simple(f"{name}/{i}", *ball, color=_bytes(rgb[0]))
            for i in range(points_m.shape[1])
        ]

    def move_to(self, k: int) -> None:
        for node, point in zip(self._nodes, self._points_m[k], strict=True):
            node.position = point
            _paint(node, self._rgb[k])


class _Bars:
    """A node for each of N strokes."""

    def __init__(
        self, scene: viser.SceneApi, name: str, radius_m: float, ends_m: np.ndarray, rgb: np.ndarray
    ) -> None:
        self._poses, self._lengths_m = stroke_poses(ends_m)
        self._rgb = rgb
        bar = triangles(Primitive(PrimitiveKind.CYLINDER, (radius_m, 0.5)))
        self._nodes = [
            scene.add_mesh_simple(f"{name}/{i}", *bar, color=_bytes(rgb[0]), flat_shading=True)
            for i in range(ends_m.shape[1])
        ]
        self._drawn_m = np.ones(len(self._nodes))

    def move_to(self, k: int) -> None:
        for i, node in enumerate(self._nodes):
            node.position, node.wxyz = self._poses[k, i, :3], self._poses[k, i, 3:]
            length_m = float(self._lengths_m[k, i])
            if abs(length_m - self._drawn_m[i]) > _LENGTH_STEP_M:
                self._drawn_m[i] = length_m
                node.scale = (1.0, 1.0, length_m)
            _paint(node, self._rgb[k])


def _node(layer: Layer, name: str) -> str:
    """The node's path below its layer, which shows and hides it."""
    return f"/{layer.value}/{name.replace('/', '_')}"


def _paint(node: viser.MeshHandle, rgb: np.ndarray) -> None:
    color = _bytes(rgb)
    if color != node.color:
        node.color = color


def _bytes(rgb: np.ndarray | tuple[float, ...]) -> tuple[int, int, int]:
    """A colour as three numbers up to 255."""
    red, green, blue = (round(255.0 * float(part)) for part in rgb[:3])
    return red, green, blue
