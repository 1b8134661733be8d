"""Settings from YAML: typed, frozen, merged, refused with a sentence."""

from aclnet.config.settings import Settings, dump_settings, load_settings

__all__ = ["Settings", "dump_settings", "load_settings"]
