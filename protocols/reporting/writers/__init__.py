"""The report as files: CSV, Markdown, LaTeX, HTML."""
