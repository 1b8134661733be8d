"""The task adapters (gait, …), the gallery and the command line."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tasks.gallery.people import Gallery as Gallery
else:

    def __getattr__(name: str) -> Any:
        """Import slow modules on first use."""
        if name == "Gallery":
            from tasks.gallery.people import Gallery

            return Gallery
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__() -> list[str]:
        return [*globals(), "Gallery"]
