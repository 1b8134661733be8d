"""A transformer of joints and frames that attends by how these are related.

Do and Kim, "SkateFormer: skeletal-temporal transformer for human action recognition", ECCV 2024.
Full attention among all joints of all frames is dear and mixes what is alike with what is not. A
block splits its channels instead. Half of them attend in four ways, an eighth each: to the joints
of the same part of the body (neighbouring) or to the joints at the same place of the other parts
(distant), and in `window` frames in a row (local motion) or in as many that are spread over the
clip (global motion). A quarter is mixed over joints by learned matrices, and a quarter is convolved
over time. Later stages have half the frames of the one before.

Departures from the released code: the body's parts are the layout's, of any size (there 24 of NTU's
joints are put in an order that fills parts of equal size); persons are encoded one by one and
averaged (there the joints of two are one skeleton); products are divided by the root of the length
of a head (there, of the number of heads). With `expansion` 1, as in the recipe of NW-UCLA there,
the weights are as many as the paper says; the recipes of NTU there have 4.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional

from aclnet.models.encoder import Encoder, EncoderOutput, reset_layers
from aclnet.models.settings import EncoderSettings, OddKernel, require_whole_heads

if TYPE_CHECKING:
    from aclnet.skeleton import Layout

_KINDS = 4  # of attention
_SHARES = 2 * _KINDS  # of the channels: one for each kind, as many for joints and time together
_STD = 0.02


class SkateFormerSettings(EncoderSettings):
    """Settings of `SkateFormer`; the defaults are the published ones."""

    name: Literal["skate_former"] = "skate_former"
    widths: tuple[int, ...] = Field(
        (96, 192, 192, 192),
        min_length=1,
        max_length=16,
        description="channels of each stage, multiples of heads",
    )
    blocks: int = Field(2, ge=1, le=100, description="blocks of a stage")
    heads: int = Field(
        32,
        ge=_SHARES,
        le=1_024,
        multiple_of=_SHARES,
        description="heads of a block: an eighth of them for each of the four kinds of attention",
    )
    expansion: int = Field(
        1, ge=1, le=64, description="width of the hidden layer of a block's perceptron, in widths"
    )
    window: int = Field(8, ge=1, le=1_000, description="frames that attend to one another")
    kernel: OddKernel = Field(7, description="frames that a convolution over time sees")
    attention_dropout: float = Field(0.5, ge=0, lt=1, description="of the attention's weights")
    dropped_blocks: float = Field(
        0.2, ge=0, lt=1, description="share of clips that skip the last block in training"
    )

    @model_validator(mode="after")
    def _heads_share_the_widths(self) -> Self:
        for width in self.widths:
            require_whole_heads(width, self.heads)
        return self

    def build(self, layout: Layout, channels: int, generator: torch.Generator | None) -> Encoder:
        """Build the encoder for this layout and these channels.

        Raises:
            ValueError: the layout has no parts.
        """
        if not layout.parts:
            raise ValueError(
                f"skate_former attends within and between the parts of the body, and layout "
                f"{layout.name} has none: give it parts, or take another encoder"
            )
        return SkateFormer(self, layout, channels, generator)


class SkateFormer(Encoder):
    """Stages of blocks of attention within and between parts of the body.

    Shapes: clips (N, M, T, V, C) to pooled (N, widths[-1]) and a map (N, M, widths[-1], T', V),
    T' = T halved, rounded up, for each stage after the first; no graph.

    Args:
        settings: sizes.
        layout: joints and parts of the body.
        channels: C.
        generator: source of the initial weights; None: torch's default generator.
    """

    has_map = True

    def __init__(
        self,
        settings: SkateFormerSettings,
        layout: Layout,
        channels: int,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(layout.joint_count, channels)
        self.feature_dim, self.graph_dim = settings.widths[-1], None
        width = settings.widths[0]
        self.stem = nn.Sequential(
            nn.Linear(channels, 2 * channels),
            nn.GELU(),
            nn.Linear(2 * channels, 3 * channels),
            nn.GELU(),
            nn.Linear(3 * channels, width),
        )
        self.joints = nn.Parameter(torch.zeros(layout.joint_count, width))
        number = settings.blocks * len(settings.widths)
        dropped = torch.linspace(0, settings.dropped_blocks, number).tolist()
        grid = part_grid(layout)
        stages = []
        for place, stage_width in enumerate(settings.widths):
            here = dropped[place * settings.blocks :][: settings.blocks]
            stages.append(nn.Sequential(*(Block(settings, stage_width, grid, s) for s in here)))
        self.stages = nn.ModuleList(stages)
        self.halves = nn.ModuleList(
            Half(before, after, settings.kernel) for before, after in pairwise(settings.widths)
        )
        reset_layers(self, generator)
        nn.init.normal_(self.joints, std=_STD, generator=generator)
        for name, table in self.named_parameters():
            if name.endswith((".table", ".mixed")):  # those of no layer
                nn.init.normal_(table, std=_STD, generator=generator)

    def forward(self, clips: Tensor) -> EncoderOutput:
        """Encode clips (N, M, T, V, C).

        Raises:
            ValueError: other joints or channels than the encoder was built for.
        """
        self.check_clips(clips)
        tokens = self.stem(clips.flatten(0, 1))
        tokens = tokens + self.waves(clips.shape[2]).to(tokens.dtype)[:, None] * self.joints
        for place, stage in enumerate(self.stages):
            if place:
                tokens = self.halves[place - 1](tokens)
            tokens = stage(tokens)
        return self.mean_output(tokens.mean(dim=(1, 2)), clips, tokens.permute(0, 3, 1, 2))

    def waves(self, frames: int) -> Tensor:
        """(T, D) sines and cosines of the frames' places in the clip, from -1 to 1.

        Their waves are those of Vaswani et al., NeurIPS 2017, section 3.5.
        """
        width, device = self.joints.shape[1], self.joints.device
        place = (2 * torch.arange(frames, device=device) + 1) / frames - 1
        lengths = 10_000 ** (torch.arange(0, width, 2, device=device) / width)
        angles = place[:, None] / lengths
        return torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1)[:, :width]


def part_grid(layout: Layout) -> Tensor:
    """The joints of each part in a row: (P, L) int64, -1 where a part has no more joints.

    Joints of no part are a part of their own, the last. Places are alike in two arms, or two legs,
    as the layout lists their joints in the same order.

    >>> from aclnet.skeleton import load_layout
    >>> part_grid(load_layout("ucalgary18")).shape
    torch.Size([5, 4])
    """
    parts = [layout.part_index(name).tolist() for name in layout.parts]
    taken = {joint for part in parts for joint in part}
    rest = [joint for joint in range(layout.joint_count) if joint not in taken]
    rows = [part for part in [*parts, rest] if part]
    longest = max(map(len, rows))
    return torch.tensor([[*row, *[-1] * (longest - len(row))] for row in rows])


class Half(nn.Module):
    """A convolution over time with every second frame left out."""

    def __init__(self, width: int, outputs: int, kernel: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, outputs, (kernel, 1), (2, 1), (kernel // 2, 0))
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, V, D) to (B, T', V, D')."""
        halved: Tensor = self.norm(self.conv(x.permute(0, 3, 1, 2)))
        return halved.permute(0, 2, 3, 1)


class Block(nn.Module):
    """Attention of four kinds beside mixed joints and convolved frames, then a perceptron.

    Args:
        settings: of the encoder.
        width: D.
        grid: (P, L) of `part_grid`.
        dropped: share of the clips that skip it in training.
    """

    present: Tensor
    joint_at: Tensor
    place_of: Tensor

    def __init__(
        self, settings: SkateFormerSettings, width: int, grid: Tensor, dropped: float
    ) -> None:
        super().__init__()
        self.window, self.dropped, self.quarter = settings.window, dropped, width // 4
        joint_count, groups = int(grid.max()) + 1, settings.heads // 4
        hidden = settings.expansion * width
        self.norm = nn.LayerNorm(width)
        self.maps = nn.Linear(width, 2 * width)
        self.mixed = nn.Parameter(torch.zeros(groups, joint_count, joint_count))
        self.conv = nn.Conv2d(
            self.quarter,
            self.quarter,
            (settings.kernel, 1),
            padding=(settings.kernel // 2, 0),
            groups=groups,
        )
        self.relations = nn.ModuleList(
            Relation(settings, len(grid), spread, distant)
            for spread in (False, True)
            for distant in (False, True)
        )
        self.joined = nn.Linear(width, width)
        self.perceptron = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, hidden),
            nn.GELU(),
            nn.Linear(hidden, width),
        )
        place_of = torch.zeros(joint_count, dtype=torch.int64)
        place_of[grid[grid >= 0]] = torch.arange(grid.numel()).view_as(grid)[grid >= 0]
        self.register_buffer("present", grid >= 0, persistent=False)
        self.register_buffer("joint_at", grid.clamp(min=0).flatten(), persistent=False)
        self.register_buffer("place_of", place_of, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, V, D) to (B, T, V, D)."""
        shares = [self.quarter, self.quarter, 6 * self.quarter]
        mixed, moved, related = self.maps(self.norm(x)).split(shares, dim=3)
        groups = mixed.view(*mixed.shape[:3], len(self.mixed), -1)
        mixed = torch.einsum("btugc,gvu->btvgc", groups, self.mixed).flatten(3)
        moved = self.conv(moved.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        x = x + self.skip(self.joined(torch.cat([mixed, moved, self.relate(related)], dim=3)))
        passed: Tensor = x + self.skip(self.perceptron(x))
        return passed

    def skip(self, x: Tensor) -> Tensor:
        """Leave out whole clips in training (Huang et al., ECCV 2016)."""
        if not self.training or not self.dropped:
            return x
        return x * functional.dropout(x.new_ones(len(x), 1, 1, 1), self.dropped)

    def relate(self, maps: Tensor) -> Tensor:
        """Queries, keys and values of all kinds, (B, T, V, 3 * D / 2), to (B, T, V, D / 2)."""
        frames, grid = maps.shape[1], self.present.shape
        # Clips are filled up to whole windows, and parts to the size of the largest.
        windows = (frames + self.window - 1) // self.window
        times = torch.arange(windows * self.window, device=maps.device)
        present = (times < frames)[:, None, None] & self.present
        maps = maps.index_select(1, times.clamp(max=frames - 1)).index_select(2, self.joint_at)
        maps = maps.view(maps.shape[0], windows * self.window, *grid, _KINDS, -1)
        found = [
            relation(maps[..., number, :], present)
            for number, relation in enumerate(self.relations)
        ]
        every = torch.cat(found, dim=4)[:, :frames]
        return every.flatten(2, 3).index_select(2, self.place_of)


class Relation(nn.Module):
    """Attention of one kind.

    Args:
        settings: of the encoder.
        parts: P.
        spread: frames of a window are spread over the clip, else in a row.
        distant: joints at one place of all parts attend to one another, else those of one part.
    """

    def __init__(
        self, settings: SkateFormerSettings, parts: int, spread: bool, distant: bool
    ) -> None:
        super().__init__()
        self.window, self.heads = settings.window, settings.heads // _SHARES
        self.spread, self.distant = spread, distant
        # What is added for a key so many frames later; between parts, for each pair of them.
        pairs = (parts, parts) if distant else ()
        self.table = nn.Parameter(torch.zeros(self.heads, *pairs, 2 * settings.window - 1))
        self.dropout = nn.Dropout(settings.attention_dropout)

    def forward(self, maps: Tensor, present: Tensor) -> Tensor:
        """Attend.

        Args:
            maps: (B, T, P, L, 3 * E) queries, keys and values; T is whole windows.
            present: (T, P, L) which of them are there.

        Returns:
            (B, T, P, L, E).
        """
        maps = self._windows(maps)
        seen = self._windows(present[None, ..., None]).flatten(3)
        batch, windows, groups, window, members, width = maps.shape
        maps = maps.reshape(batch, windows, groups, window * members, 3, self.heads, -1)
        query, key, value = maps.permute(4, 0, 1, 2, 5, 3, 6)
        bias = self._bias(members).masked_fill(~seen[:, :, :, None, None], -torch.inf)
        scores = query @ key.transpose(-1, -2) * query.shape[-1] ** -0.5 + bias
        weights = self.dropout(scores.softmax(dim=-1)).to(value.dtype)
        result = (weights @ value).transpose(3, 4)
        return self._grid(result.reshape(batch, windows, groups, window, members, width // 3))

    def _windows(self, grid: Tensor) -> Tensor:
        """(B, T, P, L, E) to (B, windows, groups, frames, members, E)."""
        batch, frames, *rest = grid.shape
        count = frames // self.window
        if self.spread:
            grid = grid.view(batch, self.window, count, *rest).transpose(1, 2)
        else:
            grid = grid.view(batch, count, self.window, *rest)
        if self.distant:
            grid = grid.transpose(3, 4)
        return grid.transpose(2, 3)

    def _grid(self, windows: Tensor) -> Tensor:
        """The reverse."""
        grid = windows.transpose(2, 3)
        if self.distant:
            grid = grid.transpose(3, 4)
        if self.spread:
            grid = grid.transpose(1, 2)
        return grid.flatten(1, 2)

    def _bias(self, members: int) -> Tensor:
        """(H, A, A) for the A frames and members of a window, frames first."""
        steps = torch.arange(self.window, device=self.table.device)
        table = self.table[..., steps - steps[:, None] + self.window - 1]
        if self.distant:
            table = table.permute(0, 3, 1, 4, 2)
        else:
            table = table[:, :, None, :, None].expand(-1, -1, members, -1, members)
        return table.flatten(3).flatten(1, 2)
