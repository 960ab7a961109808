"""Whether a well-formed track can be what it says: a right hand that handles an object on a table.

Each doubt is one sentence that names the file and the field.
"""

from __future__ import annotations

from hop_core.errors import TrackError
from hop_sim.tracks.config import Range, TracksConfig
from hop_sim.tracks.measure import measure
from hop_sim.tracks.quality import Quality
from hop_sim.tracks.track import Track

_UNITS = {100.0: "centimetres", 1000.0: "millimetres"}


def check_track(track: Track, config: TracksConfig, where: str = "") -> list[TrackError]:
    """Return what speaks against using `track`; nothing if it may be used.

    Args:
        track: well-formed, as `load_track` returns it.
        config: limits and filters.
        where: file, for the messages; default: the track's name.
    """
    where = where or track.name
    if not track.valid.any():
        return [TrackError(f"{where}: valid: no frame has both hand and object")]
    try:
        quality = measure(track, config)
    except TrackError as error:
        return [error]
    doubts = _nature(quality, config) or [
        *_hand(quality, config),
        *_object(quality, config, track.meta.handled),
        *_scene(quality, config),
    ]
    return [TrackError(f"{where}: {doubt}") for doubt in doubts]


def _nature(quality: Quality, config: TracksConfig) -> list[str]:
    """Doubts about size and side. Where there is one, every other figure is wrong too."""
    limits = config.limits
    sizes = (
        _size("keypoints_m", "wrist to middle knuckle", quality.palm_length_m,
              limits.palm_length_m),
        _size("object_points_m", "the object's diagonal", quality.object_size_m,
              limits.object_size_m),
    )  # fmt: skip
    out = [size for size in sizes if size]
    if not out and quality.right_handedness <= 0.0:
        out.append(
            "keypoints_m: the fingers bend to the back of a right hand: a left hand, or a mirrored "
            "image; only right hands are used"
        )
    return out


def _hand(quality: Quality, config: TracksConfig) -> list[str]:
    limits, out = config.limits, []
    if quality.bone_variation > limits.bone_variation:
        out.append(
            f"keypoints_m: a bone's length varies by {quality.bone_variation:.0%}, at most "
            f"{limits.bone_variation:.0%} is a hand; the detections are mixed up or too noisy"
        )
    if quality.palm_speed_m_s > limits.palm_speed_m_s:
        out.append(
            f"keypoints_m: the palm reaches {quality.palm_speed_m_s:.1f} m/s, at most "
            f"{limits.palm_speed_m_s:g} is a person; a jump, or stamps_ns in another unit"
        )
    if quality.valid_share < limits.valid_share:
        out.append(
            f"valid: {quality.valid_share:.0%} of the frames have hand and object, at least "
            f"{limits.valid_share:.0%} are needed"
        )
    if quality.stretch_s < limits.stretch_s:
        out.append(
            f"valid: the longest stretch without a gap is {quality.stretch_s:.2f} s, at least "
            f"{limits.stretch_s:g} s are needed"
        )
    return out


def _object(quality: Quality, config: TracksConfig, handled: bool) -> list[str]:
    limits, out = config.limits, []
    comes_near = quality.closest_m <= limits.touch_m
    if comes_near and not handled:
        out.append(
            f"meta.handled: says that the hand keeps away from the object, but it comes within "
            f"{quality.closest_m * 100:.1f} cm, and {limits.touch_m * 100:g} cm is near"
        )
    if handled and not comes_near:
        out.append(
            f"keypoints_m: the hand comes no nearer than {quality.closest_m * 100:.1f} cm to the "
            f"object, {limits.touch_m * 100:g} cm is asked; they are not in the same frame "
            "or unit, or nothing is handled"
        )
    if quality.lowest_m < -limits.below_table_m:
        out.append(
            f"T_table_object: the object sinks {-quality.lowest_m * 100:.1f} cm into the table; "
            "the table's height or the up vector is wrong"
        )
    return out


def _scene(quality: Quality, config: TracksConfig) -> list[str]:
    limits, out = config.limits, []
    if quality.workspace_s < limits.workspace_s:
        out.append(
            f"T_table_object: palm and object are in the table's workspace for "
            f"{quality.workspace_s:.2f} s, at least {limits.workspace_s:g} s are needed; "
            "the table frame is wrong, or the hand never gets there"
        )
    if quality.untouched_drift_m > limits.untouched_drift_m:
        out.append(
            f"T_table_object: the object moves {quality.untouched_drift_m * 100:.1f} cm while the "
            "hand is away; the camera moves, and only a standing one is supported"
        )
    bystander = quality.bystander_drift_m
    if bystander is not None and bystander > limits.untouched_drift_m:
        out.append(
            f"pose_y: all other objects move, the steadiest by {bystander * 100:.1f} cm; the "
            "camera moves, and only a standing one is supported"
        )
    apart = quality.camera_disagreement_m
    if apart is not None and apart > limits.camera_disagreement_m:
        out.append(
            f"joint_3d: two cameras see the same hand {apart * 100:.1f} cm apart; one was moved, "
            "or the extrinsics are of another day"
        )
    return out


def _size(field: str, what: str, got_m: float, allowed_m: Range) -> str:
    """Sentence about a length outside its range, with the unit that it looks like; "" if within."""
    low, high = allowed_m
    if low <= got_m <= high:
        return ""
    looks = [name for factor, name in _UNITS.items() if low <= got_m / factor <= high]
    hint = f"it looks like {looks[0]}" if looks else "the scale or the unit is wrong"
    return f"{field}: {what} is {got_m:.3g} m, allowed are {low:g}-{high:g} m; {hint}"
