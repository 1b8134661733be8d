"""Checkpoints of the released AimCLR and ActCLR under this package's names."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

_BLOCK_MODULES: Mapping[str, str] = {
    "gcn.conv": "graph.mix",
    "tcn.0": "graph_norm",
    "tcn.2": "temporal",
    "tcn.3": "temporal_norm",
    "residual.0": "short_cut.0",
    "residual.1": "short_cut.1",
}
_WHOLE_MODULES: Mapping[str, str] = {
    "data_bn": "encoder.input_norm",
    "fc.0": "projector.hidden",
    "fc.2": "projector.out",
    "fc": "classifier",
}


def import_official(state: Mapping[str, Tensor], part: str = "encoder_q") -> dict[str, Tensor]:
    """Rename the tensors of a released checkpoint.

    The adjacency is left out: it follows from the layout (`StGcnSettings` with
    `partition="spatial_released"`).

    Args:
        state: official names, with or without `module.` (`encoder_q.data_bn.weight`,
            `module.encoder_q.fc.0.weight`, ...), or those of the encoder alone (`data_bn.weight`).
        part: the encoder to take, `encoder_q` or `encoder_k`, where the names tell them apart.

    Returns:
        What `Embedder(StGcn(...), Projector(...)).load_state_dict` takes, or with `encoder.` and
        `classifier.` names that of a `SkeletonNetwork` whose encoder was tuned.

    Raises:
        ValueError: a name is not one of a released checkpoint, or the part is not in it.
    """
    plain = {key.removeprefix("module."): tensor for key, tensor in state.items()}
    if any(key.startswith("encoder_") for key in plain):
        prefix = f"{part}."
        plain = {k.removeprefix(prefix): t for k, t in plain.items() if k.startswith(prefix)}
        if not plain:
            raise ValueError(f"the checkpoint has no tensor whose name begins with {prefix!r}")
    return {_name(key): _matrix(key, tensor) for key, tensor in plain.items() if key != "A"}


def _name(key: str) -> str:
    parts = key.split(".")
    module, leaf = ".".join(parts[:-1]), parts[-1]
    if module in _WHOLE_MODULES:
        return f"{_WHOLE_MODULES[module]}.{leaf}"
    if module == "edge_importance" and leaf.isdigit():
        return f"encoder.blocks.{leaf}.edge"
    if parts[0] == "st_gcn_networks" and parts[1].isdigit():
        inner = ".".join(parts[2:-1])
        if inner in _BLOCK_MODULES:
            return f"encoder.blocks.{parts[1]}.{_BLOCK_MODULES[inner]}.{leaf}"
    raise ValueError(
        f"{key!r} is not a name in a released ActCLR checkpoint, which has data_bn.*, "
        "st_gcn_networks.<block>.gcn|tcn|residual.*, edge_importance.<block> and fc.*"
    )


def _matrix(key: str, tensor: Tensor) -> Tensor:
    """Pointwise convolutions that are linear layers here lose their two axes of length one."""
    linear = key.startswith("fc.") or ".gcn.conv." in key
    return tensor.flatten(1) if linear and tensor.ndim == 4 else tensor
