"""Settings from YAML: typed, frozen, merged, with clear errors."""

from aclnet.config.base import NamedSettings, Settings
from aclnet.config.settings import dump_settings, load_settings, read_mapping

__all__ = ["NamedSettings", "Settings", "dump_settings", "load_settings", "read_mapping"]
