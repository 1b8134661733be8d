"""A gallery of enrolled people: enrol, identify, verify, remove; and who is not in it."""
