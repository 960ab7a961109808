"""Hand-object tracks: a hand's keypoints and an object's pose over a table, from people or made."""
