"""The HTTP interface: answers from what was published, and scores texts."""
