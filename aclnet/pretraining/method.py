"""Which training without labels, with the settings of each; no network library is needed."""

from __future__ import annotations

from typing import Literal, Self

from aclnet.clips.settings import ClipSettings
from aclnet.config import Settings
from aclnet.models.settings import NetworkSettings
from aclnet.pretraining.settings import (
    ActionletSettings,
    ExtremeSettings,
    MaskedSettings,
    MomentumSettings,
)

Method = Literal["random", "aimclr", "actclr", "masked"]


class MethodSettings(Settings):
    """How an encoder is trained without labels.

    Attributes:
        method: "aimclr", the first stage of ActCLR; "actclr", the second, which begins with a run
            of the first; "masked": masked motion prediction; "random": no training, to compare
            with.
        aimclr: the first stage.
        actclr: the second.
        masked: masked motion prediction.
        key_window: "same": all views of a recording show the same window; "other": the key shows
            another one, so that features keep what stays (who it is) and leave what passes; in a
            recording no longer than a clip it is the same one.
    """

    method: Method = "aimclr"
    aimclr: ExtremeSettings = ExtremeSettings()
    actclr: ActionletSettings = ActionletSettings()
    masked: MaskedSettings = MaskedSettings()
    key_window: Literal["same", "other"] = "same"

    @property
    def windows(self) -> int:
        """Windows of a recording that a training step sees."""
        return 2 if self.contrast is not None and self.key_window == "other" else 1

    @property
    def contrast(self) -> MomentumSettings | None:
        """The method's settings, if it compares views of clips."""
        return {"aimclr": self.aimclr, "actclr": self.actclr}.get(self.method)

    def for_clips(self, count: int) -> Self:
        """With queues of no more keys than there are clips, or a clip would meet its own."""
        most = max(8, count)
        bounded = {
            name: one.model_copy(update={"queue_size": min(one.queue_size, most)})
            for name, one in (("aimclr", self.aimclr), ("actclr", self.actclr))
        }
        return self.model_copy(update=bounded)

    def require_fit(self, clip: ClipSettings, network: NetworkSettings) -> None:
        """Refuse clips and networks that the method cannot train.

        Raises:
            ValueError: clips have frames or streams that the method lacks, or the encoder has no
                tokens.
        """
        if clip.motion != "clip":
            raise ValueError(
                f"clip.motion {clip.motion} uses frames outside the clip, which views do not "
                "have: set clip.motion to clip"
            )
        if self.windows > 1 and clip.sampling != "window":
            raise ValueError(
                f"key_window other shows two windows, and clip.sampling {clip.sampling} the whole "
                "recording: set clip.sampling to window, or key_window to same"
            )
        styled = self.method == "actclr" and self.actclr.views.style_transfer
        if styled and (len(clip.streams) > 1 or clip.streams[0] not in ("j", "b", "jm")):
            raise ValueError(
                f"style transfer is defined for one of the streams j, b and jm, not for "
                f"{'+'.join(clip.streams)}: choose one of them, or set "
                "actclr.views.style_transfer to false"
            )
        if self.method == "masked":
            self._require_motion(clip, network)

    def _require_motion(self, clip: ClipSettings, network: NetworkSettings) -> None:
        if clip.streams != ("j",):
            raise ValueError(
                "masked motion prediction sees joint positions, not the streams "
                f"{'+'.join(clip.streams)}: set clip.streams to [j]"
            )
        if network.encoder.name != "joint_transformer":
            raise ValueError(
                "masked motion prediction leaves out tokens, which "
                f"{network.encoder.name} does not have: set network.encoder to "
                "{name: joint_transformer}"
            )
        if self.masked.motion_stride >= clip.frames:
            raise ValueError(
                f"masked.motion_stride {self.masked.motion_stride} leads out of clips of "
                f"{clip.frames} frames: lower it, or raise clip.frames"
            )
