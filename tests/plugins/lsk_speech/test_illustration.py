import numpy as np

import small_speech
from lsk_engine.settings.resolving import resolve_config
from lsk_speech.task import SpeechTask


def test_attention_is_drawn_for_a_few_utterances(tmp_path):
    task = SpeechTask()
    config = resolve_config(task, None, small_speech.settings(tmp_path))
    data = task.load_data(config)
    examples = data.splits["test"]
    outputs = [*examples.references[:-1], "ba <unknown>"]
    pictures = task.illustrate(task.build_model(config, data), examples, outputs, config, data)
    figure, rows = pictures["attention"]
    titles = [ax.get_title() for ax in figure.axes if ax.get_xlabel() == "time (s)"]
    assert len(titles) == 4
    shown = sorted({row["map"] for row in rows}, key=titles.index)
    assert shown == titles
    sizes = []
    for title in titles:
        number, _, text = title.partition(": ")
        assert text == examples.references[int(number)]
        sizes.append(examples.sizes[int(number)])
        cells = [row for row in rows if row["map"] == title]
        tokens = [*outputs[int(number)].split(), "<end>"]
        assert [row["token"] for row in cells if row["start"] == 0] == tokens
        weights = np.array([row["weight"] for row in cells]).reshape(len(tokens), -1)
        np.testing.assert_allclose(weights.sum(1), 1, rtol=1e-5)
        # 80 ms a frame: eight frames of 10 ms are one.
        assert weights.shape[1] == -(-examples.sizes[int(number)] // 8)
        assert cells[1]["start"] == 0.08
    assert sizes == sorted(sizes)
