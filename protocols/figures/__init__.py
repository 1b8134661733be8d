"""Pictures of results: one kind a module, plain values in, a matplotlib figure out.

No function here touches pyplot or leaves a matplotlib setting changed; ``save_figure`` of
:mod:`protocols.figures.saving` writes what they return. matplotlib comes with the ``report`` extra.
"""
