"""The parts of the HTML page; its frame, style sheet and script lie beside them."""
