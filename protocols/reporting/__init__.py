"""Tables and pages of result records."""
