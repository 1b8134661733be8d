"""What the network sees of a recording: windows, normalisation, augmentation, streams."""
