"""What is written down of a file, to compare it with when it is read: light, without arrays."""

import hashlib
import os
from pathlib import Path

from ls_base.errors import InputError
from ls_base.records import Count, Record
from ls_base.safe_open import open_regular

# Bytes. A first row costs the hash of its shard, and a run looks at 1,024 of each split (see
# `fingerprint`): of 1 MiB, that is a second. The hashes of 500 GB are 33 MB.
SHARD = 1 << 20


class FileChecks(Record, frozen=True):
    """What a file is compared with.

    Attributes:
        bytes: Its size.
        sha256: Of the whole.
        shards: Of each `SHARD` bytes, the last one's fewer; `None`: the file has one at most.
    """

    bytes: Count
    sha256: str
    shards: list[str] | None = None


def checksum_file(file: Path, *, flush: bool = False) -> FileChecks:
    """Reads a file once, whatever its size, and returns what to compare it with later.

    Args:
        file: The file.
        flush: Whether to wait until it is on the disk.
    """
    whole, shards = hashlib.sha256(), []
    with open_regular(file, error=InputError) as content:
        while part := content.read(SHARD):
            whole.update(part)
            shards.append(hashlib.sha256(part).hexdigest())
        if flush:
            os.fsync(content.fileno())
        size = content.tell()
    return FileChecks(bytes=size, sha256=whole.hexdigest(), shards=shards if size > SHARD else None)
