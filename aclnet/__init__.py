"""The training core: skeleton data, models, the affinity contrastive objective, the loop."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aclnet.runs.model import load as load

    __version__: str
else:

    def __getattr__(name: str) -> Any:
        """Import slow modules on first use."""
        if name == "load":
            from aclnet.runs.model import load

            return load
        if name == "__version__":
            from importlib.metadata import version

            return version("aclnet")
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__() -> list[str]:
        return [*globals(), "load"]
