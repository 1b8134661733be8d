"""Verification, thresholds that travel, open-set identification."""
