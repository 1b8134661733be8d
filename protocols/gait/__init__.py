"""Gait recognition: protocols, rules, tables."""
