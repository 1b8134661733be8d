"""HTML elements as text: whatever is not markup already is escaped."""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape

# Control characters have no place in HTML, half a surrogate pair none in UTF-8, and a change of
# the direction of writing could make a name look like another.
_UNFIT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069]")
_VOID = ("img", "input")


class Html(str):
    """Text that is markup, made by :func:`element` or :func:`join`; all other text is escaped."""

    __slots__ = ()


def as_html(text: str) -> Html:
    """Markup as it is, other text with its special characters escaped.

    >>> as_html("a < b")
    'a &lt; b'
    """
    return text if isinstance(text, Html) else Html(escape(_UNFIT.sub("\ufffd", text)))


def join(parts: Iterable[str], between: str = "") -> Html:
    """Parts one after the other, those that are no markup escaped."""
    return Html(as_html(between).join(as_html(part) for part in parts))


def element(name: str, *content: str, **attributes: str | int | bool | None) -> Html:
    """One element.

    Args:
        name: its name.
        *content: text, which is escaped, and markup.
        **attributes: by name; an underscore stands for a hyphen, and one at the end (``class_``) is
            cut off. True gives a bare attribute, False and None none.

    >>> element("a", "x & y", href="#z", class_="run")
    '<a href="#z" class="run">x &amp; y</a>'
    """
    words = [name]
    for key, value in attributes.items():
        written = key.rstrip("_").replace("_", "-")
        if value is True:
            words.append(written)
        elif value is not False and value is not None:
            words.append(f'{written}="{as_html(str(value))}"')
    start = f"<{' '.join(words)}>"
    return Html(start if name in _VOID else f"{start}{join(content)}</{name}>")


def unseen(text: str) -> Html:
    """Text for screen readers only."""
    return element("span", text, class_="unseen")
