"""What damages a file: of any content, and of JSON, archives, text, sound, pictures."""

import contextlib
import gzip
import io
import json
import os
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

Change = Callable[[Path, np.random.Generator], None]
_FORMS: dict[str, dict[str, Change]] = {}
_ABOVE = {
    **dict.fromkeys(("json", "zip", "npy", "gzip", "text", "wav", "flac", "png", "idx"), "bytes"),
    **dict.fromkeys(("npz", "keras"), "zip"),
    "table": "text",
    "packed text": "gzip",
}


def changes_of(form: str) -> dict[str, Change]:
    """Returns the changes to a form of content by name; those of bytes suit any file."""
    found = dict(_FORMS.get(form, {}))
    while above := _ABOVE.get(form):
        found |= _FORMS[above]
        form = above
    return found


def _change(form: str):
    def register(function: Change) -> Change:
        _FORMS.setdefault(form, {})[function.__name__.strip("_").replace("_", " ")] = function
        return function

    return register


def _rewrite(file: Path, change) -> None:
    content = bytearray(file.read_bytes())
    file.write_bytes(bytes(change(content)))


@_change("bytes")
def _truncated(file, rng):
    _rewrite(file, lambda content: content[: rng.integers(len(content))])


@_change("bytes")
def _flipped_bits(file, rng):
    def flip(content):
        for at in rng.integers(len(content), size=rng.integers(1, 9)):
            content[at] ^= 1 << int(rng.integers(8))
        return content

    _rewrite(file, flip)


@_change("bytes")
def _flipped_bit_at_the_start(file, rng):
    def flip(content):
        content[rng.integers(min(64, len(content)))] ^= 1 << int(rng.integers(8))
        return content

    _rewrite(file, flip)


@_change("bytes")
def _empty(file, rng):
    file.write_bytes(b"")


@_change("bytes")
def _random_bytes(file, rng):
    file.write_bytes(rng.bytes(file.stat().st_size))


@_change("bytes")
def _a_block_of_nothing(file, rng):
    def blank(content):
        start = rng.integers(len(content))
        content[start : start + 64] = bytes(len(content[start : start + 64]))
        return content

    _rewrite(file, blank)


@_change("bytes")
def _more_at_the_end(file, rng):
    _rewrite(file, lambda content: content + rng.bytes(100))


@_change("bytes")
def _missing(file, rng):
    file.unlink()


@_change("bytes")
def _a_folder_instead(file, rng):
    file.unlink()
    file.mkdir()


@_change("bytes")
def _a_named_pipe(file, rng):
    file.unlink()
    os.mkfifo(file)


@_change("bytes")
def _a_circle_of_links(file, rng):
    file.unlink()
    file.symlink_to(file.name)


@_change("bytes")
def _an_endless_device(file, rng):
    file.unlink()
    file.symlink_to("/dev/zero")


# JSON

_VALUES = (
    None,
    True,
    -1,
    0,
    3,
    2**40,
    10**400,
    0.5,
    -1e308,
    float("nan"),
    float("inf"),
    "",
    "x",
    "12",
    "\0",
    "\ud800",
    "../../../etc/passwd",
    "/etc/passwd",
    "~no-such-user/x",
    "a" * 5000,
    "x" * (1 << 20),
    [],
    [1, "two"],
    {},
    {"a": {"b": 1}},
)


def _spots(value, path=()):
    """Yields the path of every value in JSON."""
    yield path
    if isinstance(value, dict):
        for key in value:
            yield from _spots(value[key], (*path, key))
    elif isinstance(value, list):
        for index in range(min(len(value), 20)):
            yield from _spots(value[index], (*path, index))


def _change_spot(file, rng, change):
    value = json.loads(
        file.read_text().splitlines()[0] if file.suffix == ".jsonl" else file.read_text()
    )
    spots = [spot for spot in _spots(value) if spot]
    *above, last = spots[rng.integers(len(spots))]
    inner = value
    for key in above:
        inner = inner[key]
    change(inner, last)
    text = json.dumps(value)
    if file.suffix == ".jsonl":
        text = "\n".join([text, *file.read_text().splitlines()[1:]]) + "\n"
    file.write_text(text)


@_change("json")
def _another_value(file, rng):
    new = _VALUES[rng.integers(len(_VALUES))]
    _change_spot(file, rng, lambda inner, key: inner.__setitem__(key, new))


@_change("json")
def _yet_another_value(file, rng):
    _another_value(file, rng)
    _another_value(file, rng)


@_change("json")
def _a_key_less(file, rng):
    _change_spot(file, rng, lambda inner, key: inner.__delitem__(key))


@_change("json")
def _a_number_changed(file, rng):
    text = file.read_text()
    digits = [i for i, letter in enumerate(text) if letter.isdigit()]
    if digits:
        at = digits[rng.integers(len(digits))]
        text = text[:at] + str((int(text[at]) + 1) % 10) + text[at + 1 :]
    file.write_text(text)


@_change("json")
def _a_key_twice(file, rng):
    text = file.read_text()
    file.write_text(text.replace("{", '{"schema": 1, "schema": 1, ', 1))


@_change("json")
def _deep_nesting(file, rng):
    depth = int(10 ** rng.uniform(1.5, 5.5))
    nested = "[" * depth + "]" * depth
    text = file.read_text()
    file.write_text(
        nested if rng.integers(2) else text.replace("{", '{"deep": ' + nested + ", ", 1)
    )


@_change("json")
def _something_else(file, rng):
    file.write_text(json.dumps(_VALUES[rng.integers(len(_VALUES))]))


# ZIP: `.npz`, `.keras`, `.zip`


def _members(file):
    with zipfile.ZipFile(file) as archive:
        return [(info.filename, archive.read(info)) for info in archive.infolist()]


def _write_members(file, members, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, content in members:
            archive.writestr(name, content)


@_change("zip")
def _flipped_bits_and_the_sum_adapted(file, rng):
    members = _members(file)
    at = rng.integers(len(members))
    content = bytearray(members[at][1])
    if content:
        for where in rng.integers(len(content), size=rng.integers(1, 4)):
            content[where] ^= 1 << int(rng.integers(8))
    members[at] = (members[at][0], bytes(content))
    _write_members(file, members)


@_change("zip")
def _a_member_less(file, rng):
    members = _members(file)
    del members[rng.integers(len(members))]
    _write_members(file, members)


@_change("zip")
def _a_member_twice(file, rng):
    members = _members(file)
    with contextlib.suppress(UserWarning), zipfile.ZipFile(file, "a") as archive:
        import warnings

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            archive.writestr(*members[rng.integers(len(members))])


@_change("zip")
def _a_member_that_climbs(file, rng):
    _write_members(file, [*_members(file), ("../../climbed", b"out")])


@_change("zip")
def _a_bomb(file, rng):
    """One member of 3 GiB of zeros, in 3 MB."""
    members = _members(file)
    at = rng.integers(len(members))
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for number, (name, content) in enumerate(members):
            if number != at:
                archive.writestr(name, content)
                continue
            with archive.open(name, "w", force_zip64=True) as out:
                out.write(content[:128])
                for _ in range(192):
                    out.write(_ZEROS)


_ZEROS = bytes(1 << 24)


@_change("npz")
def _a_pickle(file, rng):
    members = _members(file)
    at = rng.integers(len(members))
    out = io.BytesIO()
    np.save(out, np.array([{"a": 1}, Path("x")], object), allow_pickle=True)
    members[at] = (members[at][0], out.getvalue())
    _write_members(file, members)


@_change("npz")
def _a_claim_of_a_trillion(file, rng):
    members = _members(file)
    at = rng.integers(len(members))
    members[at] = (members[at][0], _header("<f8", (10**12,)) + members[at][1][-64:])
    _write_members(file, members)


@_change("npz")
def _an_array_of_another_type(file, rng):
    members = _members(file)
    at = rng.integers(len(members))
    array = np.load(io.BytesIO(members[at][1]))
    kind = ("float64", "int8", "complex64", "U3", "bool", "uint64", "datetime64[s]")
    out = io.BytesIO()
    np.save(out, np.zeros(array.shape, kind[rng.integers(len(kind))]))
    members[at] = (members[at][0], out.getvalue())
    _write_members(file, members)


@_change("npz")
def _an_array_of_another_shape(file, rng):
    members = _members(file)
    at = rng.integers(len(members))
    array = np.load(io.BytesIO(members[at][1]))
    shapes = ((), (0,), (1,), (*array.shape, 1), (array.size,), (0, *array.shape[1:]))
    out = io.BytesIO()
    np.save(out, np.resize(array, shapes[rng.integers(len(shapes))]))
    members[at] = (members[at][0], out.getvalue())
    _write_members(file, members)


@_change("npz")
def _hostile_numbers(file, rng):
    members = _members(file)
    at = rng.integers(len(members))
    array = np.load(io.BytesIO(members[at][1])).copy()
    if array.size and array.dtype.kind in "fiu":
        worst = [np.nan, np.inf, -np.inf] if array.dtype.kind == "f" else [0, 2**62, -(2**62)]
        flat = array.reshape(-1)
        value = worst[rng.integers(3)]
        if array.dtype.kind != "f":
            limits = np.iinfo(array.dtype)
            value = min(max(value, limits.min), limits.max)
        flat[rng.integers(flat.size)] = value
    out = io.BytesIO()
    np.save(out, array)
    members[at] = (members[at][0], out.getvalue())
    _write_members(file, members)


def _header(dtype: str, shape) -> bytes:
    out = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        out, {"descr": dtype, "fortran_order": False, "shape": shape}
    )
    return out.getvalue()


@_change("npy")
def _another_claim(file, rng):
    shapes = ((10**12,), (2**62, 4), (0,), (1,), (3, 10**7), ())
    header = _header(("<f8", "<i8", "<U9", "|u1")[rng.integers(4)], shapes[rng.integers(6)])
    _rewrite(file, lambda content: header + content[128:])


@_change("npy")
def _pickled(file, rng):
    with file.open("wb") as out:
        np.save(out, np.array([{"a": 1}], object), allow_pickle=True)


@_change("keras")
def _a_lambda(file, rng):
    import keras

    inputs = keras.Input((3,))
    outputs = keras.layers.Lambda(lambda x: x * 2)(inputs)
    keras.Model(inputs, keras.layers.Dense(2, name="logits")(outputs)).save(file)


@_change("keras")
def _weights_that_are_not_finite(file, rng):
    import keras

    model = keras.saving.load_model(file, compile=False)
    weights = model.get_weights()
    weights[0].reshape(-1)[0] = np.nan
    model.set_weights(weights)
    model.save(file)


@_change("keras")
def _another_value_in_its_configuration(file, rng):
    members = dict(_members(file))
    with file.with_name("config-of-model.json").open("wb") as out:
        out.write(members["config.json"])
    inner = file.with_name("config-of-model.json")
    _another_value(inner, rng)
    members["config.json"] = inner.read_bytes()
    inner.unlink()
    _write_members(file, list(members.items()))


@_change("gzip")
def _a_gzip_bomb(file, rng):
    """6 GiB in 6 MB: a member of 1 MiB of zeros, 6,144 times."""
    member = gzip.compress(bytes(1 << 20) if rng.integers(2) else b"a\n" * (1 << 19))
    file.write_bytes(member * 6144)


@_change("gzip")
def _content_changed_inside(file, rng):
    content = bytearray(gzip.decompress(file.read_bytes()))
    content[rng.integers(len(content))] ^= 1 << int(rng.integers(8))
    file.write_bytes(gzip.compress(bytes(content)))


# Text


@_change("text")
def _a_line_of_a_megabyte(file, rng):
    _rewrite(file, lambda content: b"a" * (1 << 20) + b"\n" + content)


@_change("text")
def _a_line_just_short_enough(file, rng):
    _rewrite(file, lambda content: content + b"abcd " * 13_000 + b"\n")


@_change("text")
def _a_line_less(file, rng):
    _rewrite(file, lambda content: content[content.index(b"\n") + 1 :] if b"\n" in content else b"")


@_change("text")
def _nul_within(file, rng):
    _rewrite(file, lambda content: content.replace(b"a", b"\0", 3))


@_change("text")
def _other_encodings(file, rng):
    with contextlib.suppress(UnicodeDecodeError):
        encoding = ("utf-16", "latin-1", "utf-32")[rng.integers(3)]
        file.write_bytes(file.read_text().encode(encoding, "replace"))


@_change("table")
def _names_that_climb(file, rng):
    name = ("../../etc/passwd", "/etc/passwd", "~/x.wav", "", "a\0b", "x" * 5000, "link.wav")
    name = name[rng.integers(len(name))]
    link = file.parent / "link.wav"
    if not link.exists() and not link.is_symlink():
        link.symlink_to("/etc/passwd")
    lines = file.read_text().splitlines()
    at = rng.integers(1, len(lines))
    lines[at] = "\t".join([name, *lines[at].split("\t")[1:]])
    file.write_text("\n".join(lines) + "\n")


@_change("table")
def _cells_that_are_missing(file, rng):
    lines = file.read_text().splitlines()
    at = rng.integers(len(lines))
    cells = lines[at].split("\t")
    del cells[rng.integers(len(cells))]
    lines[at] = "\t".join(cells)
    file.write_text("\n".join(lines) + "\n")


# Sound and pictures


@_change("wav")
def _another_header(file, rng):
    """Another rate, number of channels, size or width of samples."""
    places = {22: "<H", 24: "<I", 28: "<I", 32: "<H", 34: "<H", 40: "<I", 4: "<I", 20: "<H"}
    at = list(places)[rng.integers(len(places))]
    numbers = (0, 1, 2, 3, 255, 65535, 2**31 - 1, 2**32 - 1, 1000, 192_000)
    most = 65535 if places[at] == "<H" else 2**32 - 1

    def change(content):
        struct.pack_into(places[at], content, at, min(numbers[rng.integers(10)], most))
        return content

    _rewrite(file, change)


@_change("flac")
def _a_claim_of_samples(file, rng):
    """STREAMINFO holds the rate in 20 bits, and in the last 36 of 64 the number of samples."""

    def change(content):
        (packed,) = struct.unpack_from(">Q", content, 18)
        if rng.integers(2):
            packed |= 2**36 - 1
        else:
            packed = packed & ~(0xFFFFF << 44) | int(rng.integers(1, 2**20)) << 44
        struct.pack_into(">Q", content, 18, packed)
        return content

    _rewrite(file, change)


@_change("png")
def _other_sizes(file, rng):
    """With the sum of the header adapted."""
    sizes = (0, 1, 7, 8, 9, 20_000, 2**31 - 1)

    def change(content):
        struct.pack_into(">II", content, 16, *(sizes[rng.integers(7)] for _ in range(2)))
        struct.pack_into(">I", content, 29, zlib.crc32(bytes(content[12:29])))
        return content

    _rewrite(file, change)


@_change("png")
def _another_format(file, rng):
    file.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\n(x) run\n")


@_change("idx")
def _other_claims(file, rng):
    numbers = (0, 1, 7, 2**16, 2**31, 2**32 - 1)

    def change(content):
        for at in range(4, 4 + 4 * content[3], 4):
            if rng.integers(2):
                struct.pack_into(">I", content, at, numbers[rng.integers(6)])
        return content

    _rewrite(file, change)


# Settings, one a line


@_change("settings")
def _a_hostile_value(file, rng):
    lines = file.read_text().splitlines()
    key = lines[rng.integers(len(lines))].partition("=")[0]
    values = (
        *("nan", "inf", "-inf", "1e999", "-1", "0", "1e-400", "1" * 5000, "9" * 30, "2e9", "-0.0"),
        *("[" * 10_000, "{" * 10_000, "none", "true", "x", "", "\0", "1\0", "../..", "~none/x"),
        *("/dev/zero", "a" * 5000, "1,2,3", "1," * 10_000, "٣", "１", "0x10", "1_000", "5" * 400),
    )
    file.write_text(f"{key}={values[rng.integers(len(values))]}")


@_change("settings")
def _a_hostile_key(file, rng):
    keys = (
        "",
        ".",
        "training",
        "training.",
        ".alpha",
        "a" * 5000,
        "training.alpha.x",
        "\0",
        "__x__",
    )
    file.write_text(f"{keys[rng.integers(len(keys))]}=1")
