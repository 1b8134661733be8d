"""The machine: versions, devices, the command `doctor`, and what the card can do at most."""

from __future__ import annotations

import statistics

import torch
from report import CUDA, DEVICE, SMALL, bandwidth, close, command, holds, say, seconds

from tasks.run.environment import describe_environment


def main() -> None:
    say("environment", **describe_environment())
    say("torch", version=torch.__version__, cuda=torch.version.cuda)
    if CUDA:
        card = torch.cuda.get_device_properties(0)
        say(
            "card",
            name=card.name,
            gib=round(card.total_memory / 2**30),
            count=torch.cuda.device_count(),
        )
    try:
        import faiss

        gpus = faiss.get_num_gpus() if hasattr(faiss, "get_num_gpus") else 0
        holds("FAISS sees the card", gpus > 0 or not CUDA, version=faiss.__version__, gpus=gpus)
    except (ImportError, RuntimeError) as error:
        holds("FAISS sees the card", not CUDA, error=repr(error)[:200])
    code, text = command("doctor")
    holds("doctor finds nothing wrong", not code, text=text[-1500:])
    say("copy", terabytes_a_second=round(bandwidth() / 1e12, 3))
    side = 256 if SMALL else 8192
    for dtype, precision in (("bfloat16", "highest"), ("float32", "highest"), ("float32", "high")):
        torch.set_float32_matmul_precision(precision)
        square = torch.randn(side, side, device=DEVICE, dtype=getattr(torch, dtype))
        took = statistics.median(seconds(lambda square=square: square @ square, 5))
        say(
            "product",
            dtype=dtype,
            precision=precision,
            teraflops=round(2 * side**3 / took / 1e12, 1),
        )
    close()


if __name__ == "__main__":
    main()
