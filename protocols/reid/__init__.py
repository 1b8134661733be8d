"""Person re-identification: pairs of sets, rules, tables."""
