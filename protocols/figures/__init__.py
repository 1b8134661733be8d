"""Pictures of results: a file a kind, with what it needs of the records and how it is drawn.

``plan`` finds in the records what can be drawn; ``draw_...`` takes plain values and returns a
matplotlib figure. :func:`protocols.figures.registry.register_figure` adds a kind, wherever its file
lies. No function here touches pyplot or leaves a matplotlib setting changed;
:func:`protocols.figures.drawing.style.save_figure` writes the figures. matplotlib comes with the
``report`` extra.
"""
