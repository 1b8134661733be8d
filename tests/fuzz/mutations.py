"""Damage to a file's bytes: by chance, in its text, in its archive's members, in its pickle."""

from __future__ import annotations

import random
import re
from collections.abc import Callable

from archives import mutate_npy, mutate_zip
from pickles import mutate_pickle

MARKER = "aclnet_was_here"
"""The file that a payload would make if it were run."""

Mutator = Callable[[bytes, random.Random], bytes]

_NUMBERS = (
    *("0", "-1", "1e400", "-1e400", "NaN", "nan", "Infinity", "1000000000000", ""),
    *("1e12", "9223372036854775808", "1" * 400, "0.5", "1e-320", "true", "null", "--", "0x10"),
    *("4294967296", "-9223372036854775809", '"1"', "[]", "{}", "1,2", "١٢", "1_000"),
)
_WORDS = (
    *("", " ", "\x00", "\x1b[2J\x1b]0;title\x07", "\u202e", "\ufeff", "\x85", "\u2028", "�"),
    *("=cmd|' /C calc'!A0", "../../etc/passwd", "<script>alert(1)</script>", "a" * 5000),
    *("Zoe\u0308", "\ud83d".encode("utf-8", "surrogatepass").decode("utf-8", "replace"), "null"),
    *("%s%n{0}", "__class__", "-", "|", "{fold}", "*"),
)
_NUMBER = re.compile(rb"[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
_TOKEN = re.compile(rb"[^\s,;:\[\]{}\"'|=]+")
_PAIR = re.compile(rb'"[^"]{1,40}"\s*:\s*(?:[^,\[\]{}]{1,60}|\[\])')
_LINE_PAIR = re.compile(rb"^[ \t]*[A-Za-z_][\w ]*:[^\n]*\n", re.MULTILINE)


def mutate(name: str, content: bytes, generator: random.Random) -> bytes:
    """One to four changes, most of them of the kind that the file's name tells."""
    for _ in range(generator.choice((1, 1, 1, 2, 2, 3, 4))):
        own = mutators_of(name, content)
        chosen = own if own and generator.random() < 0.75 else BYTES
        content = generator.choice(chosen)(content, generator)
    return content


def mutators_of(name: str, content: bytes) -> tuple[Mutator, ...]:
    """What fits the file, told by its first bytes and its name."""
    suffix = name.rpartition(".")[2].lower()
    if content[:2] == b"PK":
        return (lambda data, how: mutate_zip(data, how, mutate),)
    if content[:6] == b"\x93NUMPY":
        return (lambda data, how: mutate_npy(data, how, mutate_pickle),)
    if suffix in ("pkl", "pickle"):
        return (mutate_pickle,)
    if suffix in ("parquet", "pt", "pth", "npy", "npz", "bin") or b"\x00" in content[:200]:
        return ()
    return TEXTS


def _span(content: bytes, generator: random.Random, longest: int = 4096) -> tuple[int, int]:
    start = generator.randrange(len(content) + 1)
    return start, min(len(content), start + int(longest ** generator.random()))


def _flip_bits(content: bytes, generator: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(generator.choice((1, 1, 2, 8, 64)) if changed else 0):
        changed[generator.randrange(len(changed))] ^= 1 << generator.randrange(8)
    return bytes(changed)


def _insert(content: bytes, generator: random.Random) -> bytes:
    place = generator.randrange(len(content) + 1)
    chosen = generator.choice((b"\x00", b"\xff", b"\xfe\xff", b"\x1b[31m", generator.randbytes(16)))
    return content[:place] + chosen * generator.choice((1, 1, 3, 200)) + content[place:]


def _delete(content: bytes, generator: random.Random) -> bytes:
    start, end = _span(content, generator)
    return content[:start] + content[end:]


def _truncate(content: bytes, generator: random.Random) -> bytes:
    return content[: generator.randrange(len(content) + 1)]


def _splice(content: bytes, generator: random.Random) -> bytes:
    start, end = _span(content, generator)
    place = generator.randrange(len(content) + 1)
    return content[:place] + content[start:end] + content[place + end - start :]


def _repeat(content: bytes, generator: random.Random) -> bytes:
    start, end = _span(content, generator)
    return content[:end] + content[start:end] * generator.choice((1, 2, 20)) + content[end:]


def _number(content: bytes, generator: random.Random) -> bytes:
    return _swap(content, generator, _NUMBER, _NUMBERS)


def _word(content: bytes, generator: random.Random) -> bytes:
    return _swap(content, generator, _TOKEN, _WORDS)


def _swap(
    content: bytes, generator: random.Random, what: re.Pattern[bytes], others: tuple[str, ...]
) -> bytes:
    found = _nearby(content, generator, what)
    if found is None:
        return content
    other = generator.choice(others).encode("utf-8", "replace")
    return content[: found.start()] + other + content[found.end() :]


def _nearby(
    content: bytes, generator: random.Random, what: re.Pattern[bytes]
) -> re.Match[bytes] | None:
    start = generator.randrange(len(content) + 1)
    return what.search(content, start) or what.search(content)


def _two_tokens(content: bytes, generator: random.Random) -> bytes:
    """Two tokens in each other's place."""
    one, two = (_nearby(content, generator, _TOKEN) for _ in range(2))
    if one is None or two is None or one.start() == two.start():
        return content
    first, second = sorted((one, two), key=lambda match: match.start())
    between = content[first.end() : second.start()]
    return content[: first.start()] + second[0] + between + first[0] + content[second.end() :]


def _nest(content: bytes, generator: random.Random) -> bytes:
    place = generator.randrange(len(content) + 1) if generator.random() < 0.5 else 0
    depth = generator.choice((50, 990, 20_000))
    opening, closing = generator.choice(
        ((b"[", b"]"), (b'{"a":', b"}"), (b"- ", b""), (b"(", b")"))
    )
    rest = content[place:] if generator.random() < 0.5 else b""
    return content[:place] + opening * depth + rest + closing * depth


def _lines(content: bytes, generator: random.Random) -> bytes:
    """A line is gone, there again, in another place, or has another number of cells."""
    lines = content.splitlines(keepends=True)
    if not lines:
        return content
    place = generator.randrange(len(lines))
    match generator.randrange(5):
        case 0:
            del lines[place]
        case 1:
            lines[place] *= generator.choice((2, 2, 50))
        case 2:
            other = generator.randrange(len(lines))
            lines[place], lines[other] = lines[other], lines[place]
        case 3:
            lines[place] = lines[place].rstrip(b"\r\n") + generator.choice(
                (b",\n", b",x\n", b";\n")
            )
        case _:
            lines[place] = lines[place].partition(b",")[2]
    return b"".join(lines)


def _key_again(content: bytes, generator: random.Random) -> bytes:
    found = _nearby(content, generator, _PAIR)
    if found is not None:
        return content[: found.end()] + b", " + found[0] + content[found.end() :]
    found = _nearby(content, generator, _LINE_PAIR)
    return content if found is None else content[: found.end()] + found[0] + content[found.end() :]


def _encoding(content: bytes, generator: random.Random) -> bytes:
    text = content.decode("utf-8", "replace")
    match generator.randrange(4):
        case 0:
            return b"\xef\xbb\xbf" + content
        case 1:
            return text.encode("utf-16")
        case 2:
            return content.replace(b"\n", b"\r\n")
        case _:
            return text.encode("cp1252", "replace") + b"\xe9"


def _payload(content: bytes, generator: random.Random) -> bytes:
    """Text that makes a careless YAML reader run code, or grow without end."""
    run = f'!!python/object/apply:os.system ["touch {MARKER}"]'.encode()
    doubled = b"".join(b"b%d: &b%d [*b%d, *b%d]\n" % (i, i, i - 1, i - 1) for i in range(1, 34))
    added = generator.choice((b"x: " + run, b"b0: &b0 [a, a]\n" + doubled, b"&a [*a]", b"<<: *a"))
    if generator.random() < 0.5:
        return content + b"\n" + added + b"\n"
    found = _nearby(content, generator, _TOKEN)
    place = found.start() if found else 0
    return content[:place] + run + b" " + content[place:]


BYTES: tuple[Mutator, ...] = (_flip_bits, _insert, _delete, _truncate, _splice, _repeat)
TEXTS: tuple[Mutator, ...] = (
    *(_number, _number, _number, _word, _word, _two_tokens, _lines, _lines),
    *(_nest, _key_again, _encoding, _payload),
)
