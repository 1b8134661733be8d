"""Files from outside, read within bounds: text, JSON, YAML and arrays.

Every reader of such a file goes through here. A size that a file declares is checked against the
file before anything is allocated, and whatever is wrong is a `ValueError` that names the file.
`protocols.files` does the same for the evaluation, which imports nothing of this package.
"""
