"""Settings from YAML: typed, frozen, merged, with clear errors."""

from aclnet.config.base import LARGEST_SEED, NamedSettings, Settings
from aclnet.config.settings import dump_settings, load_settings, read_mapping

__all__ = [
    "LARGEST_SEED",
    "NamedSettings",
    "Settings",
    "dump_settings",
    "load_settings",
    "read_mapping",
]
