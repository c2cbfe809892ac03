import numpy as np
from keras import ops

from ls_keras.decoding.rows import flat_rows, take_places, take_rows


def test_rows_of_any_rank_are_taken(rng):
    values = rng.normal(size=(6, 2, 3)).astype("float32")
    rows = np.array([5, 0, 0, 3], "int32")
    taken = take_rows(ops.convert_to_tensor(values), ops.convert_to_tensor(rows))
    np.testing.assert_array_equal(ops.convert_to_numpy(taken), values[rows])


def test_places_are_those_of_their_own_sample(rng):
    places = np.array([[2, 0], [1, 1]], "int32")
    for shape in ((2, 3), (2, 3, 4)):
        values = rng.normal(size=shape).astype("float32")
        taken = take_places(ops.convert_to_tensor(values), ops.convert_to_tensor(places))
        wanted = np.stack([sample[row] for sample, row in zip(values, places, strict=True)])
        np.testing.assert_array_equal(ops.convert_to_numpy(taken), wanted)


def test_places_as_rows_of_all_samples():
    places = ops.convert_to_tensor(np.array([[2, 0], [1, 1]], "int32"))
    assert ops.convert_to_numpy(flat_rows(places, 3)).tolist() == [2, 0, 4, 4]
