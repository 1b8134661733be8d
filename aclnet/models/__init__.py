"""Encoders of skeleton clips and the network around them; `settings` says how to add one."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aclnet.models.encoder import build_encoder as build_encoder
    from aclnet.models.heads import SkeletonNetwork as SkeletonNetwork
else:

    def __getattr__(name: str) -> Any:
        """Import what needs the network library on first use."""
        places = {"SkeletonNetwork": "heads", "build_encoder": "encoder"}
        if name not in places:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(importlib.import_module(f"{__name__}.{places[name]}"), name)
