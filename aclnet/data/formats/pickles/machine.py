"""A pickle's stack machine in Python, which hands out the items of one list as they are complete.

`pickle.Unpickler` gives nothing before it has everything. Without classes and functions of the
pickle's choice its operations are few, and they are played here on a stack of our own. Of the
objects that a pickle remembers only those are kept that it fetches again (`fetched_places`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from aclnet.data.formats.pickles.operations import (
    FETCHES,
    MOST_HELD,
    Operation,
    check_held,
    lasting_size,
    own_size,
    split_name,
)
from aclnet.data.formats.pickles.words import (
    AllowedCall,
    ArrayDescription,
    DtypeDescription,
    PickleWords,
    RefusedError,
    plain_key,
)

_LITERALS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
_CONSTANTS = (
    *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
    *("STRING", "BINSTRING", "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8"),
    *("BYTEARRAY8", "UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"),
)


class PickleMachine:
    """Plays a pickle's operations and hands out the items of its list `listed`.

    That is the list under the key `listed` of the dict that the pickle is, or the pickle itself if
    it is a list. Its items are not held: it stays empty.

    Args:
        listed: the key.
        words: the names that are allowed.
        fetched: what `fetched_places` found.
        most_held: bytes, roughly, that may be held at once.
    """

    def __init__(
        self,
        listed: str = "",
        words: PickleWords | None = None,
        fetched: frozenset[int] = frozenset(),
        most_held: int = MOST_HELD,
    ) -> None:
        self.root: Any = None
        self.items: list[Any] | None = None
        self._listed, self._fetched, self._most = listed, fetched, most_held
        self._words = words or PickleWords()
        self._stack: list[Any] = []
        self._below: list[list[Any]] = []  # the stacks under each mark
        self._open: list[Any] | None = None  # the stack of items that go into the list next
        self._complete: list[Any] = []
        self._memory: dict[int, Any] = {}
        self._memorised = 0
        # What is held now, what will still be held when the item at hand is handed out.
        self._held = self._lasting = 0
        self._keeps = False
        self._handlers = self._all_handlers()

    def play(self, stream: Iterable[Operation]) -> Iterator[Any]:
        """The list's items, each when it is complete; afterwards `root` is the rest of the pickle.

        Raises:
            RefusedError: the pickle asks for what is not allowed, or for too much.
            Exception: almost any, where the operations make no sense.
        """
        handlers = self._handlers
        for operation, argument, _ in stream:
            handler = handlers.get(operation.name)
            if handler is None:
                raise RefusedError(f"the operation {operation.name}")
            handler(argument)
            if self._held > self._most:
                check_held(self._held, self._most)
            if self._complete or self._next_begins():
                yield from self._hand_out()

    def _next_begins(self) -> bool:
        # A dict on an item, not under a key of it, is the next item.
        stack = self._stack
        return self._open is stack and len(stack) == 2 and isinstance(stack[1], dict)

    def _hand_out(self) -> Iterator[Any]:
        # An item is complete when the list takes it, or before that when the next one begins: a
        # pickle gives the list a thousand items at once.
        items = self._complete
        if self._next_begins():
            items = [*items, self._stack.pop(0)]
        self._complete = []
        # A container that may be fetched again holds, for all that is known, the whole item.
        self._lasting = self._held if self._keeps else self._lasting
        self._held, self._keeps = self._lasting, False
        yield from items

    def _all_handlers(self) -> dict[str, Callable[[Any], None]]:
        handlers: dict[str, Callable[[Any], None]] = {
            "PROTO": _ignore,
            "FRAME": _ignore,
            "STOP": self._stop,
            "MARK": self._mark,
            "POP": self._pop,
            "POP_MARK": self._pop_mark,
            "DUP": lambda _: self._push(self._stack[-1]),
            "MEMOIZE": lambda _: self._remember(self._memorised),
            "EMPTY_DICT": lambda _: self._push({}),
            "EMPTY_LIST": lambda _: self._new_list([]),
            "DICT": lambda _: self._push(_as_dict(self._to_mark())),
            "LIST": lambda _: self._new_list([_value(item) for item in self._to_mark()]),
            "TUPLE": lambda _: self._push(tuple(self._to_mark())),
            "TUPLE1": lambda _: self._tuple(1),
            "TUPLE2": lambda _: self._tuple(2),
            "TUPLE3": lambda _: self._tuple(3),
            "APPEND": lambda _: self._append([self._stack.pop()]),
            "APPENDS": lambda _: self._append(self._to_mark()),
            "SETITEM": self._set_item,
            "SETITEMS": lambda _: self._update(_as_dict(self._to_mark())),
            "GLOBAL": lambda name: self._push(self._words.find(*split_name(name))),
            "STACK_GLOBAL": self._stack_global,
            "REDUCE": self._reduce,
            "BUILD": self._build,
        }
        for name in _CONSTANTS:
            handlers[name] = self._push
        for name, literal in _LITERALS.items():
            handlers[name] = self._pusher(literal)
        for name in FETCHES:
            handlers[name] = self._fetch
        for name in ("PUT", "BINPUT", "LONG_BINPUT"):
            handlers[name] = self._remember
        return handlers

    def _push(self, value: Any) -> None:
        self._stack.append(value)
        self._held += own_size(value)

    def _pusher(self, literal: Any) -> Callable[[Any], None]:
        return lambda _: self._push(literal)

    def _fetch(self, place: int) -> None:
        value = self._memory[place]
        if isinstance(value, ArrayDescription) and value.built:
            # Once it is built, an array takes the place of its description.
            self._stack.append(value.value)
            self._held += own_size(None)
            return
        self._keeps |= isinstance(value, (list, dict))
        self._push(value)

    def _remember(self, place: int) -> None:
        self._memorised += 1
        if place not in self._fetched:
            return
        value = self._stack[-1]
        self._memory[place] = value
        size = lasting_size(value)
        self._keeps |= size is None
        self._lasting += size or 0

    def _mark(self, _: Any) -> None:
        self._below.append(self._stack)
        self._stack = []
        over = self._below[-1]
        if over and self.items is not None and over[-1] is self.items:
            self._open = self._stack

    def _to_mark(self) -> list[Any]:
        items = self._stack
        self._stack = self._below.pop()
        return items

    def _pop(self, _: Any) -> None:
        if self._stack:
            self._stack.pop()
        else:
            self._to_mark()

    def _pop_mark(self, _: Any) -> None:
        self._to_mark()

    def _tuple(self, count: int) -> None:
        items = tuple(self._stack[-count:])
        if len(items) != count:
            raise IndexError("a tuple of more items than there are")
        del self._stack[-count:]
        self._push(items)

    def _new_list(self, items: list[Any]) -> None:
        if self.items is None and self._is_listed():
            self.items = []
            self._complete = items
            items = self.items
            self._lasting = self._held
        self._push(items)

    def _is_listed(self) -> bool:
        """Whether a list made now is the pickle itself, or comes under the key `listed`."""
        if not self._below and not self._stack:
            return True
        key = self._stack[-1] if self._stack else None
        if not isinstance(key, str) or key != self._listed:
            return False
        if self._below:
            root, pending = self._below[0], len(self._stack)
            return len(self._below) == 1 and _only_dict(root) and pending % 2 == 1
        return len(self._stack) == 2 and _only_dict(self._stack[:1])

    def _append(self, items: list[Any]) -> None:
        target = self._stack[-1]
        if not isinstance(target, list):
            raise TypeError(f"items for a {type(target).__name__}")
        values = [_value(item) for item in items]
        if target is self.items:
            self._complete = self._complete + values
        else:
            target.extend(values)

    def _set_item(self, _: Any) -> None:
        value, key = self._stack.pop(), self._stack.pop()
        self._update(_as_dict([key, value]))

    def _update(self, items: dict[Any, Any]) -> None:
        target = self._stack[-1]
        if not isinstance(target, dict):
            raise TypeError(f"keys for a {type(target).__name__}")
        target.update(items)

    def _stack_global(self, _: Any) -> None:
        name, module = self._stack.pop(), self._stack.pop()
        if not isinstance(name, str) or not isinstance(module, str):
            raise TypeError("a name that is no text")
        self._push(self._words.find(module, name))

    def _reduce(self, _: Any) -> None:
        arguments, function = self._stack.pop(), self._stack.pop()
        if not isinstance(function, AllowedCall):
            raise RefusedError(f"a call of a {type(function).__name__}")
        if not isinstance(arguments, tuple):
            raise TypeError("arguments that are no tuple")
        self._push(function(*arguments))

    def _build(self, _: Any) -> None:
        state = self._stack.pop()
        target = self._stack[-1]
        if not isinstance(target, (ArrayDescription, DtypeDescription, AllowedCall)):
            raise RefusedError(f"a change to a {type(target).__name__}")
        target.__setstate__(state)
        if isinstance(target, ArrayDescription):
            self._stack[-1] = target.value
            self._held += own_size(target.value)

    def _stop(self, _: Any) -> None:
        if self._below or len(self._stack) != 1:
            raise ValueError("more or less than one object")
        self.root = self._stack.pop()


def _ignore(_: Any) -> None:
    return


def _only_dict(stack: list[Any]) -> bool:
    return len(stack) == 1 and isinstance(stack[0], dict)


def _value(value: Any) -> Any:
    if isinstance(value, (AllowedCall, DtypeDescription, ArrayDescription)):
        raise RefusedError("a function or type as a value")
    return value


def _as_dict(items: list[Any]) -> dict[Any, Any]:
    if len(items) % 2:
        raise ValueError("a key without a value")
    pairs = zip(items[::2], items[1::2], strict=True)
    return {plain_key(key): _value(value) for key, value in pairs}
