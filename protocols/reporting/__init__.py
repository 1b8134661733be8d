"""From a folder of result records to tables, figures and pages that people read."""
