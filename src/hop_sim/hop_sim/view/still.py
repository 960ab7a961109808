"""Frames of a drawing as still images, rendered off-screen by MuJoCo."""

from __future__ import annotations

import mujoco
import numpy as np

from hop_sim.offscreen import Offscreen
from hop_sim.trajectories.poses import posed
from hop_sim.view.drawing import Drawing, Layer, Solid, Viewpoint
from hop_sim.view.shapes import Hull, PointSet, Primitive, PrimitiveKind

_TYPES = {
    PrimitiveKind.BOX: mujoco.mjtGeom.mjGEOM_BOX,
    PrimitiveKind.SPHERE: mujoco.mjtGeom.mjGEOM_SPHERE,
    PrimitiveKind.CAPSULE: mujoco.mjtGeom.mjGEOM_CAPSULE,
    PrimitiveKind.CYLINDER: mujoco.mjtGeom.mjGEOM_CYLINDER,
}
_POINT_M = 0.0012
_SPARE_GEOMS = 100
_NO_TURN = np.eye(3).ravel()


class StillRenderer:
    """Renders one drawing; on the thread that made it, since an OpenGL context belongs to one."""

    def __init__(
        self, drawing: Drawing, width: int, height: int, shown: frozenset[Layer] | None = None
    ) -> None:
        """Compile the solids and open an off-screen context.

        Args:
            drawing: what is rendered.
            width: of the images [px].
            height: of the images [px].
            shown: layers; None: those that the drawing does not hide.

        Raises:
            TwinError: no off-screen OpenGL on this machine.
        """
        shown = frozenset(drawing.layers) - drawing.hidden if shown is None else shown
        solids = [each for each in drawing.solids if each.layer in shown]
        self._bodies = [each for each in solids if not isinstance(each.shape, PointSet)]
        self._clouds = [
            (each.shape.points_m, each) for each in solids if isinstance(each.shape, PointSet)
        ]
        self._dots = [each for each in drawing.dots if each.layer in shown]
        self._strokes = [each for each in drawing.strokes if each.layer in shown]
        self._model = _model(self._bodies, width, height)
        self._data = mujoco.MjData(self._model)
        self._buffer = Offscreen(self._model, width, height)
        self._scene = mujoco.MjvScene(self._model, maxgeom=self._most_geoms())
        self._scene.flags[mujoco.mjtRndFlag.mjRND_HAZE] = 0
        self._option, self._camera = mujoco.MjvOption(), _camera(drawing.viewpoint)

    def render(self, k: int) -> np.ndarray:
        """Return frame `k` as (H, W, 3) uint8, RGB."""
        for number, solid in enumerate(self._bodies):
            pose = solid.pose(k)
            self._data.mocap_pos[number], self._data.mocap_quat[number] = pose[:3], pose[3:]
        mujoco.mj_kinematics(self._model, self._data)
        mujoco.mj_camlight(self._model, self._data)
        everything = mujoco.mjtCatBit.mjCAT_ALL.value
        mujoco.mjv_updateScene(
            self._model, self._data, self._option, None, self._camera, everything, self._scene
        )
        self._add_moving(k)
        return self._buffer.color(self._scene)[::-1]

    def close(self) -> None:
        """Free the context, on the thread that opened it."""
        self._buffer.close()

    def _most_geoms(self) -> int:
        clouds = sum(len(points_m) for points_m, _ in self._clouds)
        balls: int = sum(each.points_m.shape[1] for each in self._dots)
        strokes: int = sum(each.ends_m.shape[1] for each in self._strokes)
        return len(self._bodies) + clouds + balls + strokes + _SPARE_GEOMS

    def _add_moving(self, k: int) -> None:
        """Add what is no body of the model: points, balls and strokes."""
        for points_m, cloud in self._clouds:
            for point in posed(points_m, cloud.pose(k)[None])[0]:
                self._add_ball(point, _POINT_M, cloud.rgba)
        for dots in self._dots:
            for point in dots.points_m[k]:
                self._add_ball(point, dots.radius_m, (*dots.rgb[k], 1.0))
        for strokes in self._strokes:
            for start, end in strokes.ends_m[k]:
                geom = self._add_ball(start, strokes.radius_m, (*strokes.rgb[k], 1.0))
                kind = mujoco.mjtGeom.mjGEOM_CAPSULE.value
                mujoco.mjv_connector(geom, kind, strokes.radius_m, start, end)

    def _add_ball(
        self, at_m: np.ndarray, radius_m: float, rgba: tuple[float, ...]
    ) -> mujoco.MjvGeom:
        geom = self._scene.geoms[self._scene.ngeom]
        mujoco.mjv_initGeom(
            geom,
            mujoco.mjtGeom.mjGEOM_SPHERE.value,
            np.array([radius_m, 0.0, 0.0]),
            np.asarray(at_m, dtype=np.float64),
            _NO_TURN,
            np.array(rgba, dtype=np.float32),
        )
        self._scene.ngeom += 1
        return geom


def _model(bodies: list[Solid], width: int, height: int) -> mujoco.MjModel:
    """A model whose mocap bodies are the solids, in their order."""
    spec = mujoco.MjSpec()
    spec.visual.global_.offwidth, spec.visual.global_.offheight = width, height
    spec.visual.quality.offsamples = 4
    spec.visual.quality.shadowsize = 2048
    spec.visual.map.znear, spec.visual.map.zfar = 0.01, 20.0
    spec.stat.extent = 1.0
    spec.visual.headlight.ambient, spec.visual.headlight.diffuse = [0.4] * 3, [0.4] * 3
    spec.add_texture(
        name="sky",
        type=mujoco.mjtTexture.mjTEXTURE_SKYBOX,
        builtin=mujoco.mjtBuiltin.mjBUILTIN_FLAT,
        rgb1=[0.93, 0.94, 0.96],
        rgb2=[0.93, 0.94, 0.96],  # of the lower half
        width=8,
        height=8,
    )
    spec.worldbody.add_light(pos=[0.3, -0.8, 2.5], dir=[0.1, 0.3, -1.0], diffuse=[0.5] * 3)
    for number, solid in enumerate(bodies):
        body = spec.worldbody.add_body(name=solid.name, mocap=True)
        look = {"rgba": solid.rgba, "contype": 0, "conaffinity": 0}
        if isinstance(solid.shape, Primitive):
            size = [*solid.shape.size_m, *[0.0] * (3 - len(solid.shape.size_m))]
            body.add_geom(type=_TYPES[solid.shape.kind], size=size, **look)
        elif isinstance(solid.shape, Hull):
            mesh = f"hull_{number}"
            spec.add_mesh(name=mesh, uservert=solid.shape.vertices_m.ravel())
            body.add_geom(type=mujoco.mjtGeom.mjGEOM_MESH, meshname=mesh, **look)
    return spec.compile()


def _camera(viewpoint: Viewpoint) -> mujoco.MjvCamera:
    """MuJoCo's free camera at a viewpoint."""
    forward = viewpoint.look_at_m - viewpoint.eye_m
    camera = mujoco.MjvCamera()
    camera.type = mujoco.mjtCamera.mjCAMERA_FREE.value
    camera.lookat[:] = viewpoint.look_at_m
    camera.distance = float(np.linalg.norm(forward))
    camera.azimuth = float(np.degrees(np.arctan2(forward[1], forward[0])))
    camera.elevation = float(np.degrees(np.arcsin(forward[2] / camera.distance)))
    return camera
