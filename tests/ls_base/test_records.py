import json
from typing import Literal

import pytest

from ls_base.errors import FileError, InputError
from ls_base.records import Count, Finite, Record, decode_lines, decode_record, read_record


class Inner(Record, frozen=True):
    size: Count


class Outer(Record, frozen=True):
    name: str
    kind: Literal["words", "letters"] = "words"
    rate: Finite = 1.0
    inner: list[Inner] = []  # noqa: RUF012 - msgspec copies it


def decode(text, kind=Outer, **options):
    content = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
    return decode_record(content, kind, "x.json", **options)


def test_a_record_reads_what_it_wrote(tmp_path):
    record = Outer(name="α", rate=0.5, inner=[Inner(size=3)])
    (tmp_path / "x.json").write_text(json.dumps({**record.to_dict(), "more": [1, {}]}))
    assert read_record(tmp_path / "x.json", Outer) == record


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{}", r"a valid x.json. Received: {} \(object missing required field name\)"),
        ('{"name": 3}', "Expected name in x.json to be str. Received: 3"),
        ('{"name": null}', "Expected name in x.json to be str. Received: None"),
        ('{"name": "a", "kind": "x"}', r"a valid kind in x.json. Received: 'x' \(invalid enum"),
        ('{"name": "a", "kind": "' + "x" * 5000 + '"}', r"kind in x.json.* \(invalid enum\)"),
        ('{"name": "a", "rate": NaN}', "Expected rate in x.json to be float .*. Received: nan"),
        ('{"name": "a", "rate": 1e999}', "Expected rate in x.json to be float .* Received: inf"),
        ('{"name": "a", "inner": [{"size": 1}, {"size": -1}]}', r"inner\[1\].size in x.json .*-1"),
        ("[]", "Expected x.json to be object"),
        ("{", "Expected a JSON file at x.json. Received: "),
        ("", "Expected a JSON file at x.json. Received: "),
        (b"\xff", "Expected a JSON file at x.json. Received: "),
        (r'{"name": "a\u0000"}', r"JSON file at x.json. Received: text with NUL .*'a\\x00'"),
        (r'{"name": "\ud800"}', "text with NUL or half characters"),
        (r'{"\u0000": 1, "name": "a"}', "text with NUL"),
        ('{"name": "a", "x": ' + "[" * 60 + "]" * 60 + "}", "x.json. Received: more than 50"),
        ("[" * 10**6, "x.json. Received: maximum recursion"),
        ('{"name": ' + "9" * 5000 + "}", "Expected a JSON file at x.json. Received: Exceeds"),
    ],
    ids=range(18),
)
def test_errors_name_the_field(text, message):
    with pytest.raises(FileError, match=f"^.*{message}") as error:
        decode(text)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 400


@pytest.mark.parametrize("schema", ["", '"schema": 2, ', '"schema": true, ', '"schema": "1", '])
def test_another_schema_is_refused(schema):
    with pytest.raises(InputError, match="Expected schema 1 in x.json. Received: "):
        decode(f'{{{schema}"name": "a"}}', schema=1, error=InputError)


def test_lines_are_read_without_a_last_one_that_was_cut_off():
    read = lambda text: decode_lines(text.encode(), dict[str, float], "x")  # noqa: E731
    assert str(read('{"a": 1}\n{"a": NaN}\n{"a')) == "[{'a': 1.0}, {'a': nan}]"
    assert read('{"a": 1}\n') == read('{"a": 1}') == [{"a": 1.0}]
    with pytest.raises(FileError, match="line 2 of x"):
        read('{"a": 1}\n{"a\n{"a": 1}\n')


def test_other_files_than_small_regular_ones_are_refused(tmp_path):
    with pytest.raises(FileError, match="Expected a regular file .*Received: a folder"):
        read_record(tmp_path, Outer)
    with (tmp_path / "x").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(FileError, match="Expected at most .* bytes"):
        read_record(tmp_path / "x", Outer)
