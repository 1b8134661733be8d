from __future__ import annotations

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from protocols.names import distinct

letters = st.characters(exclude_characters="\0", exclude_categories=["Cs"])


@given(st.lists(st.text(letters, max_size=12), max_size=30), st.sampled_from("<>"))
@example(["\u0101", "b"], ">")
def test_distinct_names_are_those_of_numpy(names: list[str], order: str) -> None:
    text = np.array(names, dtype=np.str_)
    text = text.astype(text.dtype.newbyteorder(order))
    wanted, codes = np.unique(text, return_inverse=True)
    found = distinct(text)
    np.testing.assert_array_equal(found[0], wanted)
    np.testing.assert_array_equal(found[1], codes)
