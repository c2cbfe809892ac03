import json
from typing import Literal

import pytest

from ls_base.errors import FileError, InputError
from ls_base.records import Count, Finite, Record, decode_record, read_record


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


def test_a_record_is_read_and_written_alike(tmp_path):
    record = Outer(name="α", rate=0.5, inner=[Inner(size=3)])
    (tmp_path / "x.json").write_text(json.dumps(record.to_dict()))
    assert read_record(tmp_path / "x.json", Outer) == record


def test_keys_that_nobody_names_are_left_out():
    assert decode('{"name": "a", "more": [1, {}]}') == Outer(name="a")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{}", "Expected name in x.json. Received: a file without it"),
        ('{"name": 3}', "Expected name in x.json to be str. Received: 3"),
        ('{"name": null}', "Expected name in x.json to be str. Received: None"),
        ('{"name": "a", "kind": "x"}', r"a valid kind in x.json \(invalid enum\). Received: 'x'"),
        ('{"name": "a", "rate": NaN}', "Expected rate in x.json to be a finite number. .*nan"),
        ('{"name": "a", "rate": 1e999}', "Expected rate in x.json to be a finite number. .*inf"),
        ('{"name": "a", "rate": "1"}', "Expected rate in x.json to be a finite number. .*'1'"),
        ('{"name": "a", "inner": [{"size": 1}, {"size": -1}]}', r"inner\[1\].size in x.json .*-1"),
        ('{"name": "a", "inner": [{}]}', r"Expected inner\[0\].size in x.json. Received: a file"),
        ('{"name": "a", "inner": {}}', "Expected inner in x.json to be array. Received: {}"),
        ("[]", "Expected x.json to be object"),
        ('{"name": "a", "name": "b"}', "JSON file at x.json. Received: the key 'name' twice"),
        ("{", "Expected a JSON file at x.json. Received: "),
        ("", "Expected a JSON file at x.json. Received: "),
        (b"\xff", "Expected a JSON file at x.json. Received: not UTF-8"),
        ("\0", "Expected a JSON file at x.json. Received: "),
        (r'{"name": "a\u0000"}', r"text without NUL and half characters in x.json. .*'a\\x00'"),
        (r'{"name": "\ud800"}', "text without NUL and half characters in x.json"),
        (r'{"\u0000": 1, "name": "a"}', "text without NUL"),
        ('{"name": "a", "x": ' + "[" * 60 + "]" * 60 + "}", "at most 50 levels in x.json"),
        ("[" * 10**6, "at most 50 levels in x.json"),
        ('{"name": ' + "9" * 5000 + "}", "Expected a JSON file at x.json. Received: Exceeds"),
    ],
    ids=range(22),
)
def test_what_is_no_such_record_is_told_by_its_field(text, message):
    with pytest.raises(FileError, match=f"^.*{message}") as told:
        decode(text)
    assert "\n" not in str(told.value)
    assert len(str(told.value)) < 400


@pytest.mark.parametrize("schema", ["", '"schema": 2, ', '"schema": true, ', '"schema": "1", '])
def test_another_schema_is_told(schema):
    with pytest.raises(InputError, match="Expected schema 1 in x.json. Received: "):
        decode(f'{{{schema}"name": "a"}}', schema=1, error=InputError)


def test_values_of_any_type_of_json_are_read():
    assert decode("[1, 2]", list[int]) == [1, 2]
    with pytest.raises(FileError, match=r"Expected \[1\] in x.json to be int. Received: 'b'"):
        decode('[1, "b"]', list[int])
    with pytest.raises(FileError, match="in x.json to be a finite number. Received: str"):
        decode('{"a": 1, "b": "c"}', dict[str, float])


def test_a_file_of_another_kind_is_told(tmp_path):
    with pytest.raises(FileError, match="Expected a regular file .*Received: a folder"):
        read_record(tmp_path, Outer)
    with (tmp_path / "x").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(FileError, match="Expected at most .* bytes"):
        read_record(tmp_path / "x", Outer)
