"""Checkpoints of the released ACLNet under this package's names."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

_Place = tuple[str, int]  # name of the module here, and the position in the joined tensor

_BLOCK_MODULES: Mapping[str, _Place] = {
    "gcn.pre.0": ("graph.enter", 0),
    "gcn.down.0": ("graph.enter", 1),
    "gcn.pre.1": ("graph.enter_norm", 0),
    "gcn.down.1": ("graph.enter_norm", 1),
    "gcn.conv1": ("graph.relate", 0),
    "gcn.conv2": ("graph.relate", 1),
    "gcn.post": ("graph.leave", 0),
    "gcn.bn": ("graph.leave_norm", 0),
    **{f"tcn.branches.{i}.0": ("temporal.squeeze", i) for i in range(5)},
    "tcn.branches.5": ("temporal.squeeze", 5),
    **{f"tcn.branches.{i}.1": ("temporal.squeeze_norm", i) for i in range(5)},
    **{f"tcn.branches.{i}.3.conv": (f"temporal.dilated.{i}", 0) for i in range(4)},
    "tcn.transform.0": ("temporal.mix_norm", 0),
    "tcn.transform.2": ("temporal.mix", 0),
    "tcn.bn": ("temporal.out_norm", 0),
    "residual.conv": ("short_cut.0", 0),
    "residual.bn": ("short_cut.1", 0),
}
_BLOCK_PARAMETERS: Mapping[str, str] = {
    "gcn.A": "graph.topology",
    "gcn.alpha": "graph.channel_scale",
    "gcn.beta": "graph.adaptive_scale",
    "tcn.add_coeff": "temporal.global_scale",
}
_WHOLE_MODULES: Mapping[str, str] = {
    "backbone.data_bn": "encoder.input_norm",
    "cls_head.fc_cls": "classifier",
}
_LOSS_PREFIXES = ("cls_head.inter_loss.", "cls_head.intra_loss.")


def import_official(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename and join the tensors of a released checkpoint.

    Tensors that this package keeps as one (see `affinity_gcn`) are joined along the first axis;
    entries that the released code never reads are left out: all graph scales but the first, the
    global joint's shares beyond the last joint. So are the projections of the two losses, which
    are not part of the network.

    Args:
        state: official names (`backbone.gcn.0.gcn.A`, `cls_head.fc_cls.weight`, ...), all or some;
            also, for example, gradients under these names.

    Returns:
        What `SkeletonNetwork(AffinityGcn(...), ...).load_state_dict` takes.

    Raises:
        ValueError: a name is not one of a released checkpoint.
    """
    joint_count = next((t.shape[-1] for k, t in state.items() if k.endswith(".gcn.A")), None)
    parts: dict[str, dict[int, Tensor]] = {}
    for key, tensor in state.items():
        if key.startswith(_LOSS_PREFIXES):
            continue
        name, rank = _place(key)
        parts.setdefault(name, {})[rank] = _live(name, tensor, joint_count)
    joined = {name: [part[rank] for rank in sorted(part)] for name, part in parts.items()}
    # Scalars count the batches seen, which is the same in all normalisations of a checkpoint.
    return {name: torch.cat(part) if part[0].ndim else part[0] for name, part in joined.items()}


def _place(key: str) -> _Place:
    """The name here of an official name, and its position in the joined tensor."""
    module, _, leaf = key.rpartition(".")
    if module in _WHOLE_MODULES:
        return f"{_WHOLE_MODULES[module]}.{leaf}", 0
    parts = key.split(".", 3)
    if len(parts) == 4 and parts[:2] == ["backbone", "gcn"] and parts[2].isdigit():
        block = f"encoder.blocks.{parts[2]}"
        if parts[3] in _BLOCK_PARAMETERS:
            return f"{block}.{_BLOCK_PARAMETERS[parts[3]]}", 0
        inner, _, leaf = parts[3].rpartition(".")
        if inner in _BLOCK_MODULES:
            target, rank = _BLOCK_MODULES[inner]
            return f"{block}.{target}.{leaf}", rank
    raise ValueError(
        f"{key!r} is not a name in a released ACLNet checkpoint, which has backbone.data_bn.*, "
        "backbone.gcn.<block>.gcn|tcn|residual.* and cls_head.fc_cls.*; "
        "give its `state_dict`, without a prefix such as 'module.'"
    )


def _live(name: str, tensor: Tensor, joint_count: int | None) -> Tensor:
    """The part of an official tensor that the network reads, in its shape here."""
    if name.endswith("_scale") and "graph" in name:
        return tensor[0]
    if name.endswith("global_scale"):
        return tensor[:joint_count]
    if name.endswith("relate.weight"):
        return tensor.squeeze(-1)  # a convolution over joints alone
    return tensor
