"""A run: training, its folder, its record, going on with it, studies of several."""
