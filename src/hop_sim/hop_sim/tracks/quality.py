"""The quality record of a track: what was measured of it when it was made."""

from __future__ import annotations

from hop_core.config import Config


class Quality(Config):
    """Figures of one track; frames that are not valid do not count.

    Attributes:
        frames: of the track.
        valid_share: of the frames.
        stretch_s: longest stretch of valid frames.
        filled_frames: frames whose hand or object was interpolated.
        longest_gap_s: longest time without hand or object between two frames that have both.
        palm_length_m: wrist to middle knuckle, median.
        bone_variation: deviation of a bone's length over its mean, of the worst bone.
        right_handedness: positive in a right hand, see `keypoints.right_handedness`.
        shake_m: rms distance of the keypoints from their smooth course.
        palm_speed_m_s: fastest of the smoothed middle knuckle, without any slowing down.
        object_size_m: diagonal of the object's box.
        closest_m: smallest distance of fingertips, wrist and middle knuckle to the object's points.
        contact_share: of the valid frames, those in which a fingertip touches the object.
        rest_height_m: lowest point of the object above the table before it is moved.
        lowest_m: lowest point of the object over the whole track.
        workspace_s: time that palm and object spend together in the workspace.
        untouched_drift_m: farthest that the object moves while the hand is away from it.
        camera_disagreement_m: between cameras that see the same hand; None with one camera.
        bystander_drift_m: of the steadiest other object; None without others.
    """

    frames: int
    valid_share: float
    stretch_s: float
    filled_frames: int = 0
    longest_gap_s: float = 0.0
    palm_length_m: float
    bone_variation: float
    right_handedness: float
    shake_m: float
    palm_speed_m_s: float
    object_size_m: float
    closest_m: float
    contact_share: float
    rest_height_m: float
    lowest_m: float
    workspace_s: float
    untouched_drift_m: float
    camera_disagreement_m: float | None = None
    bystander_drift_m: float | None = None
