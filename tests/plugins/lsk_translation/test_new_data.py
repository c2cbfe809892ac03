import numpy as np

import small_translation
from lsk_engine.settings.resolving import resolve_config
from lsk_translation.data import load, load_new
from lsk_translation.task import TranslationTask


def test_other_text_is_read_whole_in_the_sub_words_of_the_run(tmp_path):
    config = resolve_config(
        TranslationTask(),
        None,
        small_translation.settings(tmp_path),
    )
    run = load(config, None)
    other = tmp_path / "other"
    other.mkdir()
    (other / "test.en").write_text("abc d\n\nbb\n")
    (other / "test.de").write_text("cba dx\nx\nbbx\n")
    changed = resolve_config(
        TranslationTask(),
        None,
        {**small_translation.SETTINGS, "data.source": str(other)},
    )
    data = load_new(changed, run.artifacts)
    assert data.class_names == run.class_names
    assert data.artifacts == run.artifacts
    assert len(data.splits["test"]) == 3  # an empty line is a line
    assert data.splits["train"] is data.splits["test"]
    np.testing.assert_array_equal(data.splits["test"].references, ["cba dx", "x", "bbx"])
