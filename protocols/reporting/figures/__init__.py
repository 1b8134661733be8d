"""From result records to the report's figures: one kind a module, `make_figures` for all."""

from protocols.reporting.figures.make import make_figures

__all__ = ["make_figures"]
