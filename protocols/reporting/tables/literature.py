"""Tables of published figures that no run of this program fills yet."""

from __future__ import annotations

from protocols.reporting.tables.layout import NTU60, NTU120, PaperColumn, PaperTable


def published_only() -> tuple[PaperTable, ...]:
    """Tables of published figures for which this program has no adapter that writes records."""

    def columns(*places: tuple[str, str, str]) -> tuple[PaperColumn, ...]:
        return tuple(
            PaperColumn(name if setting == "test" else f"{name} {setting}", (name, setting, metric))
            for name, setting, metric in places
        )

    four = ((NTU60, "X-Sub"), (NTU60, "X-View"), (NTU120, "X-Sub"), (NTU120, "X-Set"))
    top1 = columns(*((name, setting, "top-1") for name, setting in four))
    gait = (
        ("OUMVLP-Pose", "18 joints, AlphaPose"),
        ("OUMVLP-Pose", "18 joints, OpenPose"),
        ("OUMVLP-Pose", "17 joints"),
        ("GREW", "test"),
        ("Gait3D", "test"),
        ("CCPG", "CL"),
        ("CCPG", "UP"),
        ("CCPG", "DN"),
        ("CCPG", "BG"),
        ("SUSTech1K", "overall"),
    )
    semi = tuple(f"{split}, {share} %" for share in (1, 10) for split in ("X-Sub", "X-View"))
    pku = (("PKU-MMD I", "linear", "top-1"), ("PKU-MMD II", "linear", "top-1"))
    return (
        PaperTable(
            "gait-other-sets",
            "Gait recognition by skeletons on other sets, rank-1",
            "gait",
            columns(*((name, setting, "rank-1") for name, setting in gait)),
        ),
        PaperTable(
            "self-supervised", "Self-supervised learning, linear evaluation, top-1", "action", top1
        ),
        PaperTable(
            "self-supervised-finetuned",
            "Self-supervised learning, fine-tuned, 3 streams, top-1",
            "action",
            top1,
        ),
        PaperTable(
            "self-supervised-semi",
            "Self-supervised learning, fine-tuned on part of the labels, top-1",
            "action",
            columns(*((NTU60, setting, "top-1") for setting in semi)),
        ),
        PaperTable(
            "self-supervised-pku",
            "Self-supervised learning on PKU-MMD, linear evaluation, top-1",
            "action",
            columns(*pku),
        ),
    )
