"""What figures share: plans and captions, checked values, one look, pieces that several draw."""
