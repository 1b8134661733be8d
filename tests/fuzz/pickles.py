"""Damage to pickles, operation by operation, and payloads that they may carry."""

from __future__ import annotations

import pickletools
import random
import struct


def _text(content: bytes) -> bytes:
    return b"X" + struct.pack("<I", len(content)) + content


_TOUCH = b"touch aclnet_was_here"
_CALLS = (
    b"cos\nsystem\n(" + _text(_TOUCH) + b"tR",
    b"cposix\nsystem\n(" + _text(_TOUCH) + b"tR",
    b"cbuiltins\neval\n(" + _text(b"__import__('os').system('" + _TOUCH + b"')") + b"tR",
    b"(" + _text(_TOUCH) + b"ios\nsystem\n",
    b"cbuiltins\nbytearray\nJ\xff\xff\xff\x7f\x85R",
    b"cnumpy\nzeros\nJ\xff\xff\xff\x7f\x85R",
    b"cbuiltins\ngetattr\n",
    b"cnumpy\ndtype\nX\x02\x00\x00\x00O8\x85R",
)
_NAN, _INFINITE = b"G\x7f\xf8" + bytes(6), b"G\x7f\xf0" + bytes(6)
_VALUES = (
    *(b"K\x00", b"J\xff\xff\xff\xff", b"J\xff\xff\xff\x7f", b"\x8a\x06\x00\x10\xa5\xd4\xe8\x00"),
    *(b"\x8a\x08" + b"\x7f" * 8, _NAN, _INFINITE, _text(b"\x1b[2Ja"), _text(b""), b"C\x00"),
    *(b"N", b"\x88", b"]", b"}", b")"),
)
_TYPES = (b"f4", b"f8", b"O8", b"U9", b"V8", b"S0", b"i1", b"U\xe2\x90", b"\x1b[2J", b"c16", b"M8")


def mutate_pickle(  # noqa: C901 - a list of choices
    content: bytes, generator: random.Random
) -> bytes:
    """The pickle with an operation changed, gone, there again or moved, or with a payload."""
    parts = operations(content)
    if len(parts) < 3:
        return content
    place = generator.randrange(1, len(parts))
    match generator.randrange(12):
        case 0:
            del parts[place]
        case 1:
            parts.insert(place, parts[generator.randrange(1, len(parts))])
        case 2:
            other = generator.randrange(1, len(parts))
            parts[place], parts[other] = parts[other], parts[place]
        case 3 | 4:
            numbers = [i for i, part in enumerate(parts) if part[:1] in b"KMJGI\x8a\x88\x89"]
            parts[generator.choice(numbers or [place])] = generator.choice(_VALUES)
        case 5:
            _change_text(parts, generator)
        case 6:
            parts.insert(place, generator.choice(_CALLS))
        case 7:
            _double(parts, place, generator)
        case 8:
            parts.insert(place, generator.choice((b"r", b"j")) + struct.pack("<I", 1 << 29))
        case 9:
            depth = generator.choice((100, 5000))
            parts[place:place] = [b"]"] * depth + [b"a"] * (depth - 1)
        case 10:
            named = [i for i, part in enumerate(parts) if part[:1] == b"c"]
            parts[generator.choice(named or [place])] = generator.choice(_CALLS)[:11]
        case _:
            parts[place] = generator.choice(_VALUES)
    return b"".join(parts)


def operations(content: bytes) -> list[bytes]:
    """The bytes of each operation, without frames, whose lengths would be wrong afterwards."""
    places: list[int] = []
    frames: set[int] = set()
    try:
        for operation, _, place in pickletools.genops(content):
            if operation.name == "FRAME":
                frames.add(len(places))
            places.append(place or 0)
    except Exception:  # damaged already: the rest is one piece
        pass
    if not places:
        return [content]
    ends = [*places[1:], len(content)]
    return [
        content[start:end]
        for number, (start, end) in enumerate(zip(places, ends, strict=True))
        if number not in frames
    ]


def _change_text(parts: list[bytes], generator: random.Random) -> None:
    """Another text or name in place of one: a type's code, a control character, a long one."""
    texts = [i for i, part in enumerate(parts) if part[:1] in b"X\x8cU"]
    if texts:
        new = generator.choice((*_TYPES, b"a" * 5000, b"\xff\xfe", b"", b"../x", b"label"))
        parts[generator.choice(texts)] = _text(new)


def _double(parts: list[bytes], place: int, generator: random.Random) -> None:
    """A value that holds itself 2^n times, some of them as a key, whose hash has no end."""
    times = generator.choice((8, 28, 40))
    laughs = b"X\x02\x00\x00\x00ha" + b"2\x86" * times
    key = b"}" + laughs + b"Ns" if generator.random() < 0.2 else laughs
    parts.insert(place, generator.choice((key, b"]2a", b"}2N2s")))
