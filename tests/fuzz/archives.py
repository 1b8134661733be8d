"""Damage inside archives, whose checksums are written anew, and in the headers of arrays."""

from __future__ import annotations

import functools
import io
import random
import re
import struct
import zipfile
import zlib
from collections.abc import Callable
from typing import NamedTuple

Mutate = Callable[[str, bytes, random.Random], bytes]

_STORED, _DEFLATED = 0, 8
_MOST_BYTES = 10 << 20
_BOMB_BLOCKS = 420
_SHAPES = (
    *("()", "(0,)", "(-1,)", "(1000000000000,)", "(2, 3)", "(1, 1, 1, 1, 1)", "[3]", "3"),
    *("(300000000,)", "(9223372036854775807,)", "(4611686018427387904, 4)", "(1.5,)"),
    *("('a',)", "(True,)", "(0, 99999999999)"),
)
_TYPES = (
    *("'<f8'", "'>f4'", "'|O'", "'<U1'", "'<U1000000'", "'|S9'", "'<c16'", "'|b1'", "'<i8'"),
    *("'<m8'", "'|V8'", "[('a', '<f4'), ('b', 'O')]", "'<f2'", "'|u1'", "'<U0'", "'|V0'", "'zz'"),
)


class Member(NamedTuple):
    """One file of an archive, as it will be written."""

    name: bytes
    content: bytes
    method: int = _STORED
    size: int | None = None
    """What the archive says of its size; None for the truth."""
    checksum: int | None = None


def mutate_zip(  # noqa: C901 - a list of choices
    content: bytes, generator: random.Random, mutate: Mutate
) -> bytes:
    """The archive with one member changed, gone, there again, renamed, or a bomb."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if any(member.file_size > _MOST_BYTES for member in archive.infolist()):
                return content  # a bomb already
            names = archive.namelist()
            members = [Member(name.encode(), archive.read(name)) for name in names]
    except Exception:  # damaged already
        return content[: generator.randrange(len(content) + 1)]
    if not members:
        return content
    place = generator.randrange(len(members))
    one = members[place]
    match generator.randrange(12):
        case 0:
            del members[place]
        case 1:
            members.append(one)
        case 2:
            members[place] = one._replace(name=_other_name(one.name, members, generator))
        case 3:
            members[place] = _bomb(one)
        case 4:
            members[place] = one._replace(method=generator.choice((1, 9, 12, 14, 99)))
        case 5:
            size = generator.choice((0, 1, 1 << 31, (1 << 32) - 2))
            members[place] = one._replace(size=size)
        case 6:
            members.append(_bomb(one)._replace(name=b"unknown.npy"))
        case 7:
            other = generator.choice(members)
            members[place] = one._replace(content=other.content)
        case _:
            changed = mutate(one.name.decode("utf-8", "replace"), one.content, generator)
            members[place] = one._replace(content=changed)
    if generator.random() < 0.2:
        members = [_deflated(member) for member in members]
    return write_zip(members)


def _other_name(name: bytes, members: list[Member], generator: random.Random) -> bytes:
    others = (b"", b"../x.npy", b"a\x1b[2J.npy", b"n" * 3000 + b".npy", b"\xff.npy", name.upper())
    return generator.choice((*others, generator.choice(members).name))


def write_zip(members: list[Member]) -> bytes:
    """The bytes of an archive, with the sizes and checksums that its members claim."""
    out, directory = bytearray(), bytearray()
    for member in members:
        data = member.content
        plain = (
            zlib.decompress(data, -15)
            if member.method == _DEFLATED and not member.checksum
            else data
        )
        size = len(plain) if member.size is None else member.size
        checksum = zlib.crc32(plain) if member.checksum is None else member.checksum
        common = struct.pack("<HHHHH", 20, 0x800, member.method, 0, 33)
        common += struct.pack("<IIIHH", checksum, len(data), size, len(member.name), 0)
        place = len(out)
        out += b"PK\x03\x04" + common + member.name + data
        directory += b"PK\x01\x02\x14\x00" + common + struct.pack("<HHHII", 0, 0, 0, 0, place)
        directory += member.name
    end = struct.pack("<HHHHIIH", 0, 0, len(members), len(members), len(directory), len(out), 0)
    return bytes(out + directory + b"PK\x05\x06" + end)


def _deflated(member: Member) -> Member:
    if member.method != _STORED or member.size is not None:
        return member
    packer = zlib.compressobj(wbits=-15)
    return member._replace(
        content=packer.compress(member.content) + packer.flush(), method=_DEFLATED
    )


@functools.cache
def _bomb_content() -> tuple[bytes, int, int]:
    """An array of 420 MiB of zeros, which take less than one; its size and checksum."""
    dictionary = f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({_BOMB_BLOCKS << 20},), }}"
    head = b"\x93NUMPY\x01\x00\x76\x00" + dictionary.ljust(117).encode() + b"\n"
    packer, block = zlib.compressobj(9, wbits=-15), bytes(1 << 20)
    start = packer.compress(head) + packer.flush(zlib.Z_FULL_FLUSH)
    one = packer.compress(block) + packer.flush(zlib.Z_FULL_FLUSH)
    checksum = zlib.crc32(head)
    for _ in range(_BOMB_BLOCKS):
        checksum = zlib.crc32(block, checksum)
    content = start + one * _BOMB_BLOCKS + packer.flush()
    return content, len(head) + (_BOMB_BLOCKS << 20), checksum


def _bomb(member: Member) -> Member:
    content, size, checksum = _bomb_content()
    return Member(member.name, content, _DEFLATED, size, checksum)


def mutate_npy(
    content: bytes, generator: random.Random, mutate_pickle: Callable[[bytes, random.Random], bytes]
) -> bytes:
    """The array with another header, or with other content."""
    length = struct.unpack("<H", content[8:10])[0] if len(content) >= 10 else 0
    head, body = content[10 : 10 + length].decode("latin1"), content[10 + length :]
    match generator.randrange(8):
        case 0 | 1:
            shape = generator.choice(_SHAPES)
            head = re.sub(r"'shape': \([^)]*\)", lambda _: f"'shape': {shape}", head)
        case 2:
            kind = generator.choice(_TYPES)
            head = re.sub(r"'descr': '[^']*'", lambda _: f"'descr': {kind}", head)
        case 3:
            head = head.replace("False", generator.choice(("True", "None", "1", "[" * 500)))
        case 4:
            words = "(" * 2000, "{'shape': " * 50, "", "import os", "\x00", "9" * 5000
            head = generator.choice(words)
        case 5:
            floats = (float("nan"), float("inf"), -1.0, 1e38)
            value = struct.pack("<f", generator.choice(floats))
            place = 4 * generator.randrange(len(body) // 4 + 1)
            body = body[:place] + value + body[place + 4 :]
        case 6:
            head = head.replace(*_to_objects(head))
            body = mutate_pickle(_PICKLED, generator)
        case _:
            body = body[: generator.randrange(len(body) + 1)]
    return _npy(head, body)


_PICKLED = b"\x80\x02]q\x00(K\x01K\x02X\x01\x00\x00\x00aq\x01e."


def _to_objects(head: str) -> tuple[str, str]:
    found = re.search(r"'descr': '[^']*'", head)
    return (found[0] if found else "\x00"), "'descr': '|O'"


def _npy(head: str, body: bytes) -> bytes:
    text = head.rstrip("\n ").encode("latin1", "replace")[:60_000]
    text = text + b" " * (-(len(text) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + body
