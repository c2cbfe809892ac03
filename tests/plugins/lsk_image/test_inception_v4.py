import keras
import pytest

from lsk_image.inception_v4 import inception_v4


@pytest.fixture(autouse=True)
def _zeros(monkeypatch):
    """Drawing 42 million weights would take longer than all the rest."""
    monkeypatch.setattr(
        keras.initializers.VarianceScaling,
        "__call__",
        lambda self, shape, dtype=None: keras.ops.zeros(shape, dtype),
    )


def test_weights_and_stages_at_299_pixels():
    """As published: 42,679,816 trainable weights, γ and β of the normalizations included."""
    image = keras.Input((299, 299, 3))
    model = keras.Model(image, inception_v4(image, 1000))
    assert sum(int(keras.ops.size(v)) for v in model.trainable_variables) == 42_679_816
    stages = {
        "stem_1_3_relu": (147, 147, 64),
        "stem_2": (73, 73, 160),
        "stem_3": (71, 71, 192),
        "stem_4": (35, 35, 384),
        "a4": (35, 35, 384),
        "reduction_a": (17, 17, 1024),
        "b7": (17, 17, 1024),
        "reduction_b": (8, 8, 1536),
        "c3": (8, 8, 1536),
        "features": (1536,),
    }
    shapes = {name: model.get_layer(name).output.shape[1:] for name in stages}
    assert shapes == stages
    assert model.output_shape == (None, 1000)
