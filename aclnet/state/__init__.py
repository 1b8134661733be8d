"""What the losses remember between steps: small modules of persistent buffers."""
