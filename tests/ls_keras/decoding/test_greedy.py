import numpy as np
import pytest
from keras import ops

from ls_base.errors import InputError
from ls_keras.decoding import beam_search, compiled, greedy_search

START, END = 0, 1
# Raised by PyTorch's conversion to NumPy 2.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def table_step(table):
    """A Markov chain: row `t` of `table` has the logits after token `t`."""
    table = ops.convert_to_tensor(np.asarray(table, "float32"))

    def step(tokens, state, index):
        return ops.take(table, tokens, axis=0), state

    return step


def history_step(weights):
    """Logits that depend on every token so far: the state is a running sum of their vectors."""
    weights = ops.convert_to_tensor(np.asarray(weights, "float32"))

    def step(tokens, state, index):
        seen = -0.5 * state["seen"] + ops.take(weights, tokens, axis=0)
        return 2.0 * seen, {"seen": seen}

    return step


def plain_greedy(weights, seen, max_length, min_length=0, forbidden=()):
    """Decodes one sample with NumPy; returns the tokens and the sum of log-probabilities."""
    token, tokens, score = START, [], 0.0
    for length in range(1, max_length + 1):
        seen = -0.5 * seen + weights[token]
        logits = 2.0 * seen
        log_probs = logits - np.log(np.exp(logits).sum())
        log_probs[list(forbidden)] = -np.inf
        if length < min_length:
            log_probs[END] = -np.inf
        token = int(np.argmax(log_probs))
        tokens.append(token)
        score += log_probs[token]
        if token == END:
            break
    return tokens, score


def as_numpy(found):
    return [ops.convert_to_numpy(part) for part in found]


@pytest.mark.parametrize(("min_length", "forbidden"), [(0, ()), (4, ()), (0, (3, 5)), (9, (2,))])
@pytest.mark.parametrize("mode", ["eager", "compiled"])
def test_search_equals_a_plain_loop(rng, mode, min_length, forbidden):
    weights = rng.normal(size=(7, 7)) * 2
    seen = rng.normal(size=(20, 7))

    def search(seen):
        return greedy_search(
            history_step(weights),
            {"seen": seen},
            batch_size=20,
            max_length=9,
            start_token=START,
            end_token=END,
            pad_token=-1,
            min_length=min_length,
            forbidden_tokens=forbidden,
        )

    run = compiled(search) if mode == "compiled" else search
    tokens, scores, lengths = as_numpy(run(seen.astype("float32")))
    for row in range(20):
        expected, score = plain_greedy(weights, seen[row], 9, min_length, forbidden)
        assert lengths[row] == len(expected)
        assert tokens[row].tolist() == expected + [-1] * (9 - len(expected))
        assert scores[row] == pytest.approx(score, abs=1e-4)
    if not min_length and not forbidden:
        assert len(set(lengths.tolist())) > 1, "the example should have unequal lengths"


def test_search_stops_when_all_samples_have_ended():
    calls = []

    def step(tokens, state, index):
        # The state also counts calls in a traced loop.
        calls.append(index)
        end, go_on = ops.array([[0.0, 9.0, 0.0]]), ops.array([[0.0, 0.0, 9.0]])
        return ops.where(ops.expand_dims(state, -1) >= 2, end, go_on), state + 1

    found = greedy_search(
        step,
        np.array([0, 2], "int32"),
        batch_size=2,
        max_length=50,
        start_token=START,
        end_token=END,
    )
    tokens, _, lengths = as_numpy(found)
    assert lengths.tolist() == [3, 1]
    assert tokens[:, :4].tolist() == [[2, 2, 1, 0], [1, 0, 0, 0]]
    assert len(calls) <= 3


def test_ties_go_to_the_lowest_id():
    step = table_step([[2.0, 0.0, 2.0, 3.0, 3.0, 3.0]] * 6)
    found = greedy_search(step, (), batch_size=3, max_length=2, start_token=START, end_token=END)
    assert as_numpy(found)[0].tolist() == [[3, 3]] * 3


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_scores_are_float32_sums_for_any_dtype(dtype):
    def step(tokens, state, index):
        return ops.cast(ops.array([[10.0, -50.0, 10.0, 3.0]] * 2), dtype), state

    found = greedy_search(step, (), batch_size=2, max_length=60, start_token=START, end_token=END)
    expected = 60 * (10 - np.log(2 * np.exp(10) + np.exp(3) + np.exp(-50)))
    assert as_numpy(found)[1] == pytest.approx(expected, rel=1e-5)


def test_only_impossible_tokens_score_minus_infinity():
    step = table_step([[-np.inf, -np.inf, 0.0], [0, 0, 0], [-np.inf] * 3])
    found = greedy_search(step, (), batch_size=1, max_length=4, start_token=START, end_token=END)
    assert as_numpy(found)[1].tolist() == [-np.inf]


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_nan_raises_in_eager_mode(wrong):
    step = table_step([[0.0, 0.0, 3.0], [0, 0, 0], [0.0, 1.0, wrong]])

    def search(first):
        def starting(tokens, state, index):
            return step(ops.where(index == 0, first, tokens), state, index)

        return greedy_search(
            starting, (), batch_size=2, max_length=2, start_token=START, end_token=END
        )

    with pytest.raises(InputError, match=r"NaN or \+inf for samples \[0, 1\]"):
        search(ops.convert_to_tensor([2, 2], dtype="int32"))
    with pytest.raises(InputError, match=r"NaN or \+inf for samples \[1\]"):
        search(ops.convert_to_tensor([1, 2], dtype="int32"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"max_length": 0}, "Expected max_length to be an integer ≥ 1. Received: 0"),
        ({"min_length": 6}, "Expected min_length ≤ max_length=5. Received: min_length=6"),
        ({"end_token": 3}, r"Expected token ids in \[0, 3\).*Received: \[3\]"),
        ({"forbidden_tokens": [0, 7]}, r"Expected token ids in \[0, 3\).*Received: \[7\]"),
        (
            {"initial_state": {"a": np.zeros((3, 2))}},
            r"batch_size=2. Received: shape \(3, 2\) at a",
        ),
        ({"initial_state": {"a": [None]}}, "Received: None at a/0"),
        ({"initial_state": np.float32(1)}, r"Received: shape \(\) at the state itself"),
    ],
)
def test_wrong_arguments_raise_input_errors(change, message):
    arguments = {
        "initial_state": (),
        "batch_size": 2,
        "max_length": 5,
        "start_token": START,
        "end_token": END,
    } | change
    with pytest.raises(InputError, match=message):
        greedy_search(table_step(np.zeros((3, 3))), **arguments)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (lambda s: {"a": s["a"][:, :1]}, r"Expected step .* of shape \(2, 3\).*at a. Received"),
        (lambda s: {"a": ops.cast(s["a"], "float16")}, "Received: shape .*, dtype float16"),
        (lambda s: {"b": s["a"]}, "Expected step to return a state of the same structure"),
    ],
)
def test_a_changed_form_of_the_state_raises_an_input_error(changed, message):
    def step(tokens, state, index):
        return ops.zeros((2, 3)), changed(state)

    with pytest.raises(InputError, match=message):
        greedy_search(
            step,
            {"a": np.zeros((2, 3), "float32")},
            batch_size=2,
            max_length=5,
            start_token=START,
            end_token=END,
        )


@pytest.mark.parametrize("shape", [(2, 1), (2,), (2, 3, 1)])
def test_wrong_shapes_of_logits_raise_input_errors(shape):
    with pytest.raises(InputError, match="Expected step to return logits of shape"):
        greedy_search(
            lambda tokens, state, index: (ops.zeros(shape), state),
            (),
            batch_size=2,
            max_length=5,
            start_token=START,
            end_token=END,
        )


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (lambda state: (np.zeros((1, 3), "float32"), state), r"logits of 2 rows.*shape \(1, 3\)"),
        (lambda state: (np.zeros((4, 3), "float32"), state), r"logits of 2 rows.*shape \(4, 3\)"),
        (lambda state: np.zeros((2, 3), "float32"), r"return \(logits, state\). Received: "),
        (lambda state: (None, state), "Expected the logits that step returns to be"),
    ],
)
@pytest.mark.parametrize("beams", [1, 3])
def test_wrong_results_of_step_raise_input_errors(beams, returned, message):
    """A single row of logits would be broadcast without this check."""
    search, options = greedy_search, {}
    if beams > 1:
        search, options = beam_search, {"beam_size": beams}
        message = message.replace("2 rows", "6 rows")
    with pytest.raises(InputError, match=message):
        search(
            lambda tokens, state, index: returned(state),
            (),
            batch_size=2,
            max_length=5,
            start_token=START,
            end_token=END,
            **options,
        )


def test_logits_may_be_a_list():
    table = [[0.0, 0.0, 3.0], [0.0, 3.0, 0.0]]
    found = greedy_search(
        lambda tokens, state, index: (table, state),
        (),
        batch_size=2,
        max_length=2,
        start_token=START,
        end_token=END,
    )
    assert as_numpy(found)[0].tolist() == [[2, 2], [1, 0]]


@pytest.mark.tensorflow
@pytest.mark.parametrize("jit_compile", [False, True])
def test_tensorflow_graphs_agree_and_mark_nan(jit_compile):
    table = np.array([[0.0, 0.0, 3.0], [0, 0, 0], [0.0, 1.0, np.nan]], "float32")

    def search(state):
        def step(tokens, state, index):
            return ops.take(ops.convert_to_tensor(table), tokens, axis=0) + state, state

        return greedy_search(
            step, state, batch_size=2, max_length=3, start_token=START, end_token=END
        )

    # The second sample ends before the NaN.
    state = np.array([[0, 0, 0], [0, 9, 0]], "float32")
    _, scores, lengths = as_numpy(compiled(search, jit_compile=jit_compile)(state))
    assert np.isnan(scores[0])
    assert scores[1] == pytest.approx(9 - np.log(np.exp(9) + 1 + np.exp(3)), abs=1e-5)
    assert lengths[1] == 1


@pytest.mark.tensorflow
def test_unknown_batch_sizes_in_tensorflow(rng):
    import tensorflow as tf

    weights = rng.normal(size=(7, 7)) * 2
    traces = []

    @tf.function(input_signature=[tf.TensorSpec([None, 7], "float32")])
    def search(seen):
        traces.append(seen)
        return greedy_search(
            history_step(weights),
            {"seen": seen},
            batch_size=tf.shape(seen)[0],
            max_length=9,
            start_token=START,
            end_token=END,
        )

    for batch in (1, 5):
        seen = rng.normal(size=(batch, 7)).astype("float32")
        tokens, _, lengths = as_numpy(search(seen))
        for row in range(batch):
            expected = plain_greedy(weights, seen[row], 9)[0]
            assert tokens[row, : lengths[row]].tolist() == expected
    assert len(traces) == 1
