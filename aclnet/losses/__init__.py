"""The affinity contrastive losses and the objective that joins them."""
