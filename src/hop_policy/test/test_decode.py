"""Messages become what was sent, whoever sent them, or are refused with a reason."""

import numpy as np
import pytest

from hop_core.embodiment import ARM_JOINTS
from hop_core.errors import AlignmentError, ModelError
from hop_policy import messages
from hop_policy.decode import JointReader, camera_view, depth_pixels, stamp_ns, tick_stamps
from hop_policy.statics import quaternion_xyzw

T0 = 1_700_000_000_123_456_789
DEPTH = np.arange(12, dtype=np.uint16).reshape(3, 4)


def image(pixels: np.ndarray, encoding: str, **changes) -> object:
    made = messages.depth_image(DEPTH, T0, "camera")
    made.encoding, made.step = encoding, pixels.itemsize * pixels.shape[1]
    made.data = np.frombuffer(pixels.tobytes(), np.uint8)
    for key, value in changes.items():
        setattr(made, key, value)
    return made


def test_stamps_are_exact_integers() -> None:
    assert stamp_ns(messages.header(T0)) == T0


def test_both_encodings_and_byte_orders_are_read() -> None:
    metres = np.array([[0.5, np.nan], [np.inf, -np.inf]], np.float32)
    made = image(metres, "32FC1", height=2, width=2)
    assert depth_pixels(made).dtype == np.float32
    np.testing.assert_array_equal(depth_pixels(made), metres)
    assert np.array_equal(depth_pixels(image(DEPTH, "16UC1")), DEPTH)
    assert np.array_equal(depth_pixels(image(DEPTH.astype(">u2"), "16UC1", is_bigendian=1)), DEPTH)


def test_padded_rows_are_read() -> None:
    padded = np.hstack([DEPTH, np.full((3, 2), 9, np.uint16)])
    assert np.array_equal(depth_pixels(image(padded, "16UC1")), DEPTH)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"step": 6}, "has 24 bytes, not 18"),
        ({"height": 4}, "has 24 bytes, not 32"),
        ({"width": 5}, "check the camera driver"),
    ],
)
def test_damaged_images_are_refused(changes, sentence) -> None:
    with pytest.raises(AlignmentError, match=sentence):
        depth_pixels(image(DEPTH, "16UC1", **changes))


def test_colour_is_no_depth() -> None:
    with pytest.raises(AlignmentError, match="encoding 'bgr8'"):
        depth_pixels(image(DEPTH, "bgr8"))


def test_joints_are_read_by_name_also_when_the_order_changes() -> None:
    reader = JointReader(ARM_JOINTS)
    assert reader.read(ARM_JOINTS, range(7)).tolist() == list(range(7))
    assert reader.read(ARM_JOINTS[::-1], range(7)).tolist() == list(range(6, -1, -1))
    with pytest.raises(ModelError, match="joint7"):
        reader.read(ARM_JOINTS[:6], range(6))


def test_camera_without_calibration_is_refused() -> None:
    k = np.array([[132.0, 0, 159.5], [0, 132.0, 89.5], [0, 0, 1]])
    view = camera_view(messages.camera_info(k, 320, 180, T0, "camera"))
    assert (view.width, view.height, view.fx, view.cy) == (320, 180, 132.0, 89.5)
    with pytest.raises(AlignmentError, match="no calibration"):
        camera_view(messages.camera_info(0 * k, 320, 180, T0, "camera"))


def test_tick_is_read_back() -> None:
    stamps = {"depth": T0 - 3, "arm": T0 - 2, "hand": T0 - 1}
    message = messages.tick(T0, stamps)
    assert tick_stamps(message) == {"tick": T0, **stamps}
    message.data = message.data[:2]
    with pytest.raises(AlignmentError, match="for 2 stamps"):
        tick_stamps(message)


def test_quaternion_turns_as_the_matrix_does() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
        turn *= np.sign(np.linalg.det(turn))
        x, y, z, w = quaternion_xyzw(turn)
        v, axis = rng.normal(size=3), np.array([x, y, z])
        turned = v + 2 * np.cross(axis, np.cross(axis, v) + w * v)
        np.testing.assert_allclose(turned, turn @ v, atol=1e-12)
        assert w >= 0


@pytest.mark.ros
def test_rclpy_reads_what_is_written_here() -> None:
    serialization = pytest.importorskip("rclpy.serialization")
    from sensor_msgs.msg import Image, JointState
    from std_msgs.msg import Int64MultiArray
    from trajectory_msgs.msg import JointTrajectory

    def theirs(message: object, kind: type) -> object:
        return serialization.deserialize_message(messages.serialize(message), kind)

    depth = theirs(messages.depth_image(DEPTH, T0, "camera"), Image)
    assert np.array_equal(depth_pixels(depth), DEPTH)
    assert (stamp_ns(depth.header), depth.header.frame_id) == (T0, "camera")
    sent = messages.joint_state(ARM_JOINTS, np.arange(7.0), np.ones(7), np.zeros(7), T0)
    state = theirs(sent, JointState)
    assert JointReader(ARM_JOINTS).read(state.name, state.position).tolist() == list(range(7))
    target = theirs(
        messages.joint_trajectory(ARM_JOINTS, np.arange(7.0), T0, "id"), JointTrajectory
    )
    assert target.points[0].positions.tolist() == list(range(7))
    assert target.points[0].time_from_start.nanosec == 50_000_000
    tick = theirs(messages.tick(T0, {"depth": T0 - 1}), Int64MultiArray)
    assert tick_stamps(tick) == {"tick": T0, "depth": T0 - 1}
