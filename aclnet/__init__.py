"""The training core: skeleton data, models, the affinity contrastive objective, the loop."""
