"""A reader in a process of its own: beyond the limits that process ends, not the program.

The process gets the name of a reader's module and what to read, and sends a line of JSON for the
description, one and the frames' bytes for every sample, and one for each call of `progress`. It
inherits no file but its two pipes and writes none: the store, its place and Ctrl-C are left to the
parent, with which it ends. Nothing that it sends is unpickled.

A PYSKL file of 290 MB with 57,500 annotations becomes a store in 7.0 s, with at most 131 MiB here
and 394 MiB in the process.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np

from aclnet.data.formats.pickles import limits
from aclnet.data.formats.pickles.unpickle import printable, too_large
from aclnet.data.sample import Sample, StoreInfo

_START = (
    "import sys; sys.path[:] = sys.argv[1:]; "
    "from aclnet.data.formats.pickles.child import serve; serve()"
)
# Every further thread takes address space, and OpenBLAS hangs where that is short.
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
_LONGEST_ERROR = 2000

Progress = Callable[[int, int], None]


def read_in_child(
    module: str,
    path: Path,
    *,
    progress: Progress | None,
    bounded: bool = False,
    **arguments: Any,
) -> tuple[StoreInfo, Iterator[Sample]]:
    """Call a format module's `read` in a process that ends beyond the limits.

    Args:
        module: the format's module.
        path: what to read.
        progress: as of `aclnet.data.formats.read`.
        bounded: limit time and memory of all that is read, not of pickles alone.
        **arguments: the other arguments of the module's `read`.

    Returns:
        What its `read` returns. The process ends with the last sample, or when the iterator is
        closed.

    Raises:
        ValueError: that of the reader, or the process ended early; also while the samples are
            drawn.
    """
    drawn = _draw(module, path, progress, bounded, arguments)
    return next(drawn), drawn  # a started generator ends the process when it is closed


def _draw(
    module: str,
    path: Path,
    progress: Progress | None,
    bounded: bool,
    arguments: dict[str, Any],
) -> Iterator[Any]:
    """The description, and then the samples."""
    with subprocess.Popen(  # noqa: S603 - our own interpreter and code
        [sys.executable, "-c", _START, *map(str, sys.path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **_ONE_THREAD},
    ) as process:
        try:
            request, answers = process.stdin, process.stdout
            if request is None or answers is None:
                raise RuntimeError("the process has no pipes")
            place = getattr(sys.modules.get(module), "__file__", None)
            wanted = progress is not None
            pickle.dump((module, place, path, wanted, bounded, arguments), request)
            request.flush()
            file = yield from _received(answers, path, progress)
            if file is not None:
                native = native_memory(sys.modules.get(module))
                raise _ended(process.wait(), file, limits.reading_seconds(native))
        finally:
            process.kill()


def _received(
    answers: IO[bytes], path: Path, progress: Progress | None
) -> Generator[Any, None, str | Path | None]:
    """The messages' content; returns the file being read if the process ended too early."""
    info: StoreInfo | None = None
    file: str | Path = path
    while (line := answers.readline()).endswith(b"\n"):
        match json.loads(line):
            case {"file": str(file)}:
                pass
            case {"progress": [done, total]} if progress is not None:
                progress(done, total)
            case {"info": fields}:
                yield (info := StoreInfo.model_validate(fields))
            case {"sample": fields, "dtype": dtype, "shape": shape, "axes": axes} as about if info:
                info.dropped.update(about["dropped"])
                info.notes.update(about["notes"])
                content = bytearray(answers.read(about["size"]))
                if len(content) < about["size"]:
                    break
                frames = np.frombuffer(content, dtype).reshape(shape).transpose(np.argsort(axes))
                size, numbers = fields.pop("image_size"), about["numbers"]
                yield Sample(
                    frames=frames,
                    image_size=size and tuple(size),
                    frame_numbers=None if numbers is None else np.array(numbers, np.int64),
                    **fields,
                )
            case {"end": dropped, "notes": notes} if info:
                info.dropped.update(dropped)
                info.notes.update(notes)
                return None
            case {"error": text}:
                raise ValueError(text)
            case {"memory": a_byte}:
                raise too_large(file, a_byte)
    return file


def _ended(code: int, file: str | Path, seconds: int) -> ValueError:
    """The error for a process that ended before its last sample."""
    ended_by = {-each.value: each.name for each in signal.Signals}.get(code, "")
    if ended_by == "SIGPROF":
        return ValueError(
            f"{file}: takes more than {limits.FIRST_SECONDS} s of processor time plus 1 s for "
            f"every {limits.BYTES_A_SECOND / 1e6:.0f} MB to unpickle; do not trust this file"
        )
    if ended_by == "SIGXCPU":
        return ValueError(
            f"{file}: takes more than {seconds} s of processor time plus 1 s for every "
            f"{limits.READ_A_SECOND / 1e6:.0f} MB to read; do not trust this file, or split it"
        )
    if ended_by == "SIGALRM":
        return ValueError(
            f"{file}: no sign of progress for {limits.SILENCE:.0f} s; do not trust this file, or "
            "split it"
        )
    return ValueError(
        f"{file}: the process that reads it ended with exit code {code}; do not trust this file, "
        "or see that there is enough memory"
    )


def _format(module: str, place: str, bounding: Path | None) -> Any:
    """A format's module; that of a plug-in, which is on no path, from its file.

    What it does from now on is bounded, where a path to read is given for that.
    """
    try:
        loaded = importlib.import_module(module)
    except ModuleNotFoundError:
        found = importlib.util.spec_from_file_location(module, place)
        if found is None or found.loader is None:
            raise
        loaded = importlib.util.module_from_spec(found)
        found.loader.exec_module(loaded)
    if library := getattr(loaded, "LIBRARY", ""):
        with contextlib.suppress(ImportError):  # which its `read` says
            importlib.import_module(library)
    if bounding is not None:
        limits.bound(bounding, native_memory(loaded))
    return loaded


def native_memory(module: Any) -> int:
    """Bytes that a format's native code may take for every byte of a file; 0 where it has none."""
    return int(getattr(module, "NATIVE", 0))


def serve() -> None:
    """The child's work: a request on standard input, the samples on standard output."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # the parent's to answer, which then ends this
    output, sys.stdout = sys.stdout.buffer, sys.stderr

    def send(message: dict[str, Any], content: bytes = b"") -> None:
        limits.set_alarm(0)  # the parent may take any time to read
        output.write(json.dumps(message).encode() + b"\n")
        output.write(content)
        output.flush()
        limits.set_alarm(limits.SILENCE)

    def report(done: int, total: int) -> None:
        if wanted:
            send({"progress": [done, total]})
        else:
            limits.set_alarm(limits.SILENCE)

    request = pickle.load(sys.stdin.buffer)  # noqa: S301 - the parent's
    module, place, path, wanted, bounded, arguments = request
    limits.end_with(sys.stdin.fileno())
    limits.enforce(lambda file: send({"file": str(file)}))
    try:
        loaded = _format(module, place, path if bounded else None)
        info, samples = loaded.read(path, progress=report, **arguments)
        send({"info": info.model_dump(mode="json")})
        for sample in samples:
            apart = ("frames", "frame_numbers")
            fields = {name: value for name, value in vars(sample).items() if name not in apart}
            # In their memory order, so that sums over them keep theirs.
            axes = np.argsort([-stride for stride in sample.frames.strides], kind="stable").tolist()
            frames = sample.frames.transpose(axes)
            about = {"dtype": frames.dtype.str, "shape": frames.shape, "size": frames.nbytes}
            numbers = None if sample.frame_numbers is None else sample.frame_numbers.tolist()
            about |= {"axes": axes, "dropped": info.dropped, "notes": info.notes}
            about["numbers"] = numbers
            send({"sample": fields, **about}, frames.tobytes())
        send({"end": info.dropped, "notes": info.notes})
    except BrokenPipeError:
        return  # the parent wants no more
    except MemoryError:
        send({"memory": max(native_memory(sys.modules.get(module)), limits.MEMORY_A_BYTE)})
    except ValueError as error:
        send({"error": printable(str(error), _LONGEST_ERROR)})
    except Exception as error:
        send({"error": f"{path}: cannot be read ({type(error).__name__})"})
