from hypothesis import given
from hypothesis import strategies as st

from lsk_engine.reports.word_diff import EXAMPLES, choose_examples, differences

texts = st.lists(st.sampled_from(["a", "b", "c", "the", "<i>"]), max_size=12).map(" ".join)


def of(pieces, *changes):
    return " ".join(text for change, text in pieces if change in changes)


@given(texts, texts)
def test_the_pieces_contain_both_texts(reference, output):
    pieces = differences(reference, output)
    assert of(pieces, "same", "missing") == reference
    assert of(pieces, "same", "added") == output


@given(texts)
def test_equal_texts_are_not_marked(text):
    assert {change for change, _ in differences(text, text)} <= {"same"}


def test_long_texts_are_cut():
    long = " ".join(str(i % 7) for i in range(10**5))
    pieces = differences(long, f"x {long}")
    assert of(pieces, "same", "missing").endswith(" …")
    assert len(of(pieces, "same", "missing").split()) == 201


def test_examples_come_from_the_whole_split():
    wanted = [str(i) for i in range(1000)]
    right = [(text,) for text in wanted]
    found = choose_examples("test", right, [("a", wanted), ("b", wanted)])
    assert [example.number for example in found.examples] == [*range(0, 1000, 1000 // EXAMPLES)]
    assert found.total == 1000
    assert [name for name, _ in found.examples[0].outputs] == ["a", "b"]
    assert not any(example.reference is None for example in found.examples)
    few = choose_examples("test", right[:3], [("a", wanted[:3])])
    assert [example.reference for example in few.examples] == ["0", "1", "2"]


def test_an_output_is_compared_with_the_most_similar_reference():
    right = [("am 3. Mai 2021", "am 03.05.2021"), ("drei Hunde",)]
    found = choose_examples("test", right, [("a", ["am 03.05.2021", "vier Hunde"])])
    first, second = found.examples
    assert first.reference == "am 3. Mai 2021"
    assert [change for change, _ in first.outputs[0][1]] == ["same"]
    assert of(second.outputs[0][1], "missing") == "drei"


def test_outputs_without_references_are_not_marked():
    found = choose_examples("test", (), [("a", ["one two", "three"])])
    assert [example.reference for example in found.examples] == [None, None]
    (piece,) = found.examples[0].outputs[0][1]
    assert piece == ("same", "one two")
