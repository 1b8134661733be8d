r"""Time of the backbone as released, read plainly, against this package's equal, faster form.

    OMP_NUM_THREADS=1 python tests/benchmarks/bench_backbone.py \
        [--json results/benchmarks/backbone.json]

Both forms run in turn in one process on the same weights and clips; process time with one thread
is the measure, since it is the least disturbed by others on the machine. The plain form keeps the
released parameter names and follows the description of the released blocks step by step: six-axis
graph arrays, relation maps convolved frame by frame before their mean, every branch by itself, the
dynamic graph kept in every block. Where the released code itself was measured, on another machine,
a step of 4 clips took 4.13 to 4.18 s and inference 1.42 s.

Memory is measured twice: the bytes that autograd keeps, each storage once, and the peak of the
resident memory of a process of its own. Their unit is GiB.
"""

from __future__ import annotations

import argparse
import functools
import sys
from collections import OrderedDict
from pathlib import Path

import torch
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).parent))  # a test imports the plain reading by its path

from bench_evaluation import apart, peak_mib, timed
from ratios import ratio, write

from aclnet.models import SkeletonNetwork
from aclnet.models.affinity_gcn import AffinityGcn, AffinityGcnSettings
from aclnet.models.official import import_official


class PlainGraphUnit(nn.Module):
    def __init__(self, c: int, o: int, V: int, K: int) -> None:
        super().__init__()
        inner = o // K * K
        self.K = K
        self.A = nn.Parameter(torch.randn(K, V, V) * 0.02 + 0.04)
        self.alpha = nn.Parameter(torch.full((K,), 0.5))  # not zero: the dynamic graph matters
        self.beta = nn.Parameter(torch.full((K,), 0.5))
        self.pre = nn.Sequential(nn.Conv2d(c, inner, 1), nn.BatchNorm2d(inner), nn.ReLU())
        self.conv1 = nn.Conv2d(c, inner, 1)
        self.conv2 = nn.Conv2d(c, inner, 1)
        self.post = nn.Conv2d(inner, o, 1)
        self.bn = nn.BatchNorm2d(o)
        self.down = nn.Sequential(nn.Conv2d(c, o, 1), nn.BatchNorm2d(o)) if c != o else None

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        n, _, T, V = x.shape
        K = self.K
        features = self.pre(x).reshape(n, K, -1, T, V)
        rows = self.conv1(x).reshape(n, K, -1, T, V).mean(dim=3, keepdim=True)
        columns = self.conv2(x).reshape(n, K, -1, T, V).mean(dim=3, keepdim=True)
        channel = torch.tanh(rows.unsqueeze(-1) - columns.unsqueeze(-2)) * self.alpha[0]
        product = torch.einsum("nkctv,nkctw->nktvw", rows, columns)
        adaptive = product.softmax(dim=-2).unsqueeze(2) * self.beta[0]
        dynamic = channel + adaptive
        graph = self.A[None, :, None, None] + dynamic
        mixed = torch.einsum("nkctv,nkcvw->nkctw", features, graph.squeeze(3))
        left = self.bn(self.post(mixed.reshape(n, -1, T, V)))
        short_cut = x if self.down is None else self.down(x)
        return torch.relu(left + short_cut), dynamic.reshape(n, -1, V, V)


def _plain_temporal_conv(width: int, dilation: int, stride: int) -> nn.Module:
    conv = nn.Conv2d(
        width, width, (3, 1), (stride, 1), padding=(dilation, 0), dilation=(dilation, 1)
    )
    return nn.Sequential(OrderedDict(conv=conv))  # its released name ends in `.3.conv`


class PlainTemporalUnit(nn.Module):
    def __init__(self, o: int, V: int, stride: int) -> None:
        super().__init__()
        width = o // 6
        widths = [o - 5 * width] + [width] * 5
        tails = [_plain_temporal_conv(widths[i], i + 1, stride) for i in range(4)]
        tails.append(nn.MaxPool2d((3, 1), (stride, 1), (1, 0)))
        self.branches = nn.ModuleList(
            nn.Sequential(nn.Conv2d(o, w, 1), nn.BatchNorm2d(w), nn.ReLU(), tail)
            for w, tail in zip(widths, tails, strict=False)
        )
        self.branches.append(nn.Conv2d(o, width, 1, (stride, 1)))
        self.add_coeff = nn.Parameter(torch.zeros(max(25, V)))
        self.transform = nn.Sequential(nn.BatchNorm2d(o), nn.ReLU(), nn.Conv2d(o, o, 1))
        self.bn = nn.BatchNorm2d(o)

    def forward(self, x: Tensor) -> Tensor:
        V = x.shape[-1]
        x = torch.cat([x, x.mean(dim=-1, keepdim=True)], dim=-1)
        out = torch.cat([branch(x) for branch in self.branches], dim=1)
        share = torch.einsum("nct,v->nctv", out[..., V], self.add_coeff[:V])
        mixed: Tensor = self.bn(self.transform(out[..., :V] + share))
        return mixed


class PlainResidual(nn.Module):
    def __init__(self, c: int, o: int, stride: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(c, o, 1, (stride, 1))
        self.bn = nn.BatchNorm2d(o)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.bn(self.conv(x))
        return out


class PlainBlock(nn.Module):
    def __init__(self, c: int, o: int, V: int, K: int, stride: int, first: bool) -> None:
        super().__init__()
        self.gcn = PlainGraphUnit(c, o, V, K)
        self.tcn = PlainTemporalUnit(o, V, stride)
        self.residual = None if first or (c == o and stride == 1) else PlainResidual(c, o, stride)
        self.first = first

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mixed, dynamic = self.gcn(x)
        out = self.tcn(mixed)
        if not self.first:
            out = out + (x if self.residual is None else self.residual(x))
        return torch.relu(out), dynamic


class PlainBackbone(nn.Module):
    def __init__(self, settings: AffinityGcnSettings, V: int, C: int) -> None:
        super().__init__()
        self.data_bn = nn.BatchNorm1d(V * C)
        self.gcn = nn.ModuleList()
        before, width = C, settings.width
        for number in range(1, settings.blocks + 1):
            width *= 2 if number in settings.widen_at else 1
            stride = 2 if number in settings.stride_at else 1
            self.gcn.append(PlainBlock(before, width, V, settings.subsets, stride, number == 1))
            before = width
        self.width = width

    def forward(self, clips: Tensor) -> tuple[Tensor, Tensor]:
        N, M, T, V, C = clips.shape
        x = clips.permute(0, 1, 3, 4, 2).reshape(N * M, V * C, T)
        x = self.data_bn(x).reshape(N * M, V, C, T).permute(0, 2, 3, 1).contiguous()
        kept = []
        for block in self.gcn:
            x, dynamic = block(x)
            kept.append(dynamic)
        graph = kept[-1].reshape(N, M, -1, V, V).mean(dim=(1, 2)).reshape(N, V * V)
        return x.reshape(N, M, self.width, -1).mean(dim=(1, 3)), graph


class PlainHead(nn.Module):
    def __init__(self, width: int, class_count: int) -> None:
        super().__init__()
        self.fc_cls = nn.Linear(width, class_count)


class PlainNetwork(nn.Module):
    def __init__(self, settings: AffinityGcnSettings, V: int, C: int, class_count: int) -> None:
        super().__init__()
        self.backbone = PlainBackbone(settings, V, C)
        self.cls_head = PlainHead(self.backbone.width, class_count)

    def forward(self, clips: Tensor) -> tuple[Tensor, Tensor]:
        pooled, graph = self.backbone(clips)
        return self.cls_head.fc_cls(pooled), graph


def _compare(plain: nn.Module, ours: nn.Module, clips: Tensor) -> dict[str, float]:
    """Largest relative differences of logits and graph in evaluation mode."""
    with torch.no_grad():
        plain_logits, plain_graph = plain.eval()(clips)
        output = ours.eval()(clips)
    pairs = {"logits": (output.logits, plain_logits), "graph": (output.graph, plain_graph)}
    return {name: float((a - b).abs().max() / b.abs().max()) for name, (a, b) in pairs.items()}


def step(model: nn.Module, clips: Tensor) -> None:
    """Forward and backward pass in training."""
    model.train()
    model.zero_grad()
    loss(model, clips).backward()


def loss(model: nn.Module, clips: Tensor) -> Tensor:
    """A scalar of both outputs."""
    found = model(clips)
    logits, graph = found if isinstance(model, PlainNetwork) else (found.logits, found.graph)
    return logits.square().mean() + graph.mean()


def forward(model: nn.Module, clips: Tensor) -> None:
    """Forward pass in evaluation."""
    model.eval()
    with torch.no_grad():
        model(clips)


def kept_bytes(model: nn.Module, clips: Tensor) -> int:
    """Bytes that autograd keeps for the backward pass, each storage once."""
    kept: dict[int, Tensor] = {}

    def keep(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    model.train()
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        found = loss(model, clips)
    held = sum(tensor.untyped_storage().nbytes() for tensor in kept.values())
    del found
    return held


def pair(settings: AffinityGcnSettings, V: int) -> tuple[nn.Module, nn.Module]:
    """The plain network and ours with the same weights."""
    torch.manual_seed(0)
    plain = PlainNetwork(settings, V, 3, 60)
    ours = SkeletonNetwork(AffinityGcn(settings, V, 3), 60)
    ours.load_state_dict(import_official(plain.state_dict()))
    return plain, ours


def peak(name: str, shape: tuple[int, ...]) -> float | None:
    """Resident memory in MiB that two training steps take at their peak.

    Beside the weights and what torch itself takes.
    """
    torch.set_num_threads(1)
    model = dict(zip(("plain", "ours"), pair(AffinityGcnSettings(), shape[3]), strict=True))[name]
    clips = torch.randn(*shape, 3)
    step(model, clips[:1, :, :8])
    return peak_mib(lambda: [step(model, clips) for _ in range(2)])


def main() -> None:
    """Measure, print, and write."""
    made = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    made.add_argument("--batch", type=int, default=8)
    made.add_argument("--frames", type=int, default=100)
    made.add_argument("--joints", type=int, default=25)
    made.add_argument("--persons", type=int, default=2)
    made.add_argument("--rounds", type=int, default=5)
    made.add_argument("--json", type=Path)
    arguments = made.parse_args()
    torch.set_num_threads(1)
    plain, ours = pair(AffinityGcnSettings(), arguments.joints)
    clips = torch.randn(arguments.batch, arguments.persons, arguments.frames, arguments.joints, 3)
    differences = _compare(plain, ours, clips)
    if max(differences.values()) > 1e-4:
        raise RuntimeError(f"the two have other outputs: {differences}")
    size = f"{arguments.batch} clips of {arguments.persons} x {arguments.frames} frames"
    rows = []
    for work, run in (("training step", step), ("inference", forward)):
        run(plain, clips)  # warm up
        run(ours, clips)
        works = {
            "plain": functools.partial(run, plain, clips),
            "ours": functools.partial(run, ours, clips),
        }
        times = timed(works, arguments.rounds)
        rows.append(ratio(f"{work}, {size}", "as released", times["ours"], times["plain"]))
    kept = [[kept_bytes(model, clips) / 2**30] for model in (ours, plain)]
    rows.append(ratio(f"kept for the backward pass, {size}", "as released", *kept, unit="GiB"))
    peaks = [[apart(peak, name, tuple(clips.shape[:-1])) / 2**10] for name in ("ours", "plain")]
    rows.append(ratio(f"peak memory of a step, {size}", "as released", *peaks, unit="GiB"))
    rest = " and ".join(
        f"{peak - keeps:.2f}" for (peak,), (keeps,) in zip(peaks, kept, strict=True)
    )
    note = f"{rest} GiB of the peaks, ours and as released, are not kept for the backward pass."
    write("backbone", rows, arguments.json, relative_difference=differences, notes=[note])


if __name__ == "__main__":
    main()
