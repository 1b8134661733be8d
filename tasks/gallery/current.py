"""A gallery that is asked for a long time, while others may put another file in its place."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from tasks.gallery.content import Embedder
from tasks.gallery.people import Gallery


class CurrentGallery:
    """The gallery that is at a place now; for one thread at a time.

    Args:
        place: its file, or a database.
        model: as `aclnet.load` gave it.
    """

    def __init__(self, place: str, model: Embedder) -> None:
        self.place, self._model = place, model
        self._gallery: Gallery | None = None
        self._seen: tuple[int, int] | None = None

    def opened(self) -> Gallery:
        """The gallery, opened again where another file has taken its place.

        Raises:
            ValueError: there is none, it is damaged or of another model.
        """
        seen = None
        with suppress(OSError):
            found = Path(self.place).stat()
            seen = found.st_dev, found.st_ino
        if self._gallery is None or seen != self._seen:
            self.close()
            self._gallery, self._seen = Gallery(self.place, self._model), seen
        return self._gallery

    def close(self) -> None:
        """Close it."""
        if self._gallery is not None:
            self._gallery.close()
            self._gallery = None
