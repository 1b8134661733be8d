"""Settings of gait recognition."""

from __future__ import annotations

from pathlib import Path

from protocols.gait.gallery_probe import GalleryProbe, load_protocol, read_probe_names
from protocols.gait.rules import RuleName
from tasks.samples.identities import IdentitySettings
from tasks.settings import IdentityTaskSettings, naming


class GaitSettings(IdentityTaskSettings):
    """Settings of gait recognition.

    Attributes:
        identities: division into training, validation and test people.
        protocol: division into gallery and probe: a name (casia_b, oumvlp and others, listed by
            `gait eval --help`) or a CSV or YAML file.
        gallery_takes: overrides the protocol's gallery takes, such as `first 1` or `random 2`.
        probes: list of the probes of a protocol that needs one, such as Gait3D.json for gait3d.
        rule: how ranks are aggregated into a table: exact, gaitgraph, gaitgraph2, opengait; that of
            a protocol's file holds where `eval` names the protocol.
    """

    identities: IdentitySettings = IdentitySettings()
    protocol: str = "casia_b"
    gallery_takes: str | None = None
    probes: Path | None = None
    rule: RuleName = "exact"

    def gallery_probe(self) -> GalleryProbe:
        """Load the protocol, with the gallery takes and the probes of these settings.

        Raises:
            ValueError: there is no such protocol, a file is not valid, or the protocol takes no
                gallery takes or no list of probes.
        """
        with naming(f"protocol={self.protocol}"):
            protocol = load_protocol(self.protocol)
        if self.gallery_takes:
            protocol = protocol.with_gallery_takes(self.gallery_takes)
        if self.probes is not None:
            protocol = protocol.with_probes(read_probe_names(self.probes))
        return protocol

    @property
    def benchmark(self) -> str:
        """The protocol."""
        return self.protocol

    def class_count(self, known: int) -> int:
        """Number of training people."""
        return self.identities.training_people(known)
