"""Random views of clips: changes whose draw is apart from their application; the curriculum."""
