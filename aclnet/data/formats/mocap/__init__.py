"""Motion capture: skeletons whose joints follow from angles, one module a format."""
