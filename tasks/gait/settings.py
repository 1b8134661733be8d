"""Settings of gait recognition."""

from __future__ import annotations

from protocols.gait.gallery_probe import GalleryProbe, load_protocol
from protocols.gait.rules import RuleName
from tasks.samples.identities import IdentitySettings
from tasks.settings import TaskSettings, naming


class GaitSettings(TaskSettings):
    """Settings of gait recognition.

    Attributes:
        identities: division into training, validation and test people.
        protocol: division into gallery and probe: a name (casia_b, kgbd_walks, ucalgary_gait) or a
            CSV or YAML file.
        gallery_takes: overrides the protocol's gallery takes, such as `first 1` or `random 2`.
        rule: how ranks are aggregated into a table: exact, gaitgraph, gaitgraph2, opengait.
    """

    identities: IdentitySettings = IdentitySettings()
    protocol: str = "casia_b"
    gallery_takes: str | None = None
    rule: RuleName = "exact"

    def gallery_probe(self) -> GalleryProbe:
        """Load the protocol, with the gallery takes of these settings.

        Raises:
            ValueError: there is no such protocol, or its file is not valid.
        """
        with naming(f"protocol={self.protocol}"):
            protocol = load_protocol(self.protocol)
        return protocol.with_gallery_takes(self.gallery_takes) if self.gallery_takes else protocol

    @property
    def benchmark(self) -> str:
        """The protocol."""
        return self.protocol

    def class_count(self, known: int) -> int:
        """Number of training people."""
        return self.identities.training_people(known)
