"""Base classes of settings models, and of families of them whose member a name chooses."""

from __future__ import annotations

import importlib
from abc import ABC
from collections.abc import Mapping
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, ValidationInfo
from pydantic_core import CoreSchema, PydanticKnownError, core_schema

LIGHT = {"light": True}
"""Validation context in which members of families stay unread (see `NamedSettings.unread`)."""


LARGEST_SEED = 2**63 - 1
"""What torch's generators take."""


class Settings(BaseModel):
    """Base of every settings model: frozen, without unknown names, NaN or infinity."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class NamedSettings(Settings, ABC):
    """Base of families of settings models; a mapping's `name` chooses the member that it fills.

    A direct subclass is a family and the type of fields. Its subclasses, also those of other
    packages, become members by `register`. A member's module is imported when it is chosen, so a
    family may have members that need heavy libraries.

    Attributes:
        name: the member's; a member declares it as `name: Literal["mine"] = "mine"`.
        members: by name, each as "module:class" or as the class itself.
        unread: replaces any member when settings are loaded lightly; None: members are validated.
    """

    name: str
    members: ClassVar[dict[str, Any]]
    unread: ClassVar[type[NamedSettings] | None] = None

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if NamedSettings in cls.__bases__:
            cls.members = {}

    @classmethod
    def is_family(cls) -> bool:
        """Whether this is the base of a family."""
        return "members" in vars(cls)

    @classmethod
    def register(cls, name: str, member: str | type[Self]) -> None:
        """Register a member of the family under its name.

        Args:
            name: one word of letters, digits and underscores, for recipes.
            member: the class, or "module:class".

        Raises:
            ValueError: the name is not such a word, or is that of another member.
        """
        place = member if isinstance(member, str) else f"{member.__module__}:{member.__qualname__}"
        known = cls.members.get(name, place)
        known = known if isinstance(known, str) else f"{known.__module__}:{known.__qualname__}"
        fault = None if known == place else f"{known} has this name"
        if not name.isidentifier():
            fault = "use only letters, digits and underscores"
        if fault is not None:
            raise ValueError(f"{place} cannot be registered as {name!r}: {fault}; choose another")
        cls.members[name] = member

    @classmethod
    def member(cls, values: Any) -> type[Self] | None:
        """The member that a mapping names, imported if needed; None if there is none."""
        name = values.get("name") if isinstance(values, Mapping) else None
        found = cls.members.get(name) if isinstance(name, str) else None
        if isinstance(found, str):
            module, _, attribute = found.partition(":")
            found = cls.members[str(name)] = getattr(importlib.import_module(module), attribute)
        return found

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        if not cls.is_family():
            return handler(source)
        return core_schema.with_info_before_validator_function(
            cls._choose, core_schema.is_instance_schema(cls)
        )

    @classmethod
    def _choose(cls, value: Any, info: ValidationInfo) -> Any:
        """A mapping as the member that it names."""
        if isinstance(value, cls):
            return value
        if not isinstance(value, Mapping):
            raise PydanticKnownError("model_attributes_type")
        if "name" not in value:
            raise PydanticKnownError("union_tag_not_found", {"discriminator": "'name'"})
        if info.context == LIGHT and cls.unread is not None and value["name"] in cls.members:
            return cls.unread.model_validate(value)
        member = cls.member(value)
        if member is None:
            known = ", ".join(f"'{name}'" for name in sorted(cls.members))
            tag = {"discriminator": "'name'", "tag": str(value["name"]), "expected_tags": known}
            raise PydanticKnownError("union_tag_invalid", tag)
        return member.model_validate(value, context=info.context)
