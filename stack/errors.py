"""What the stack says when it cannot go on."""


class StackError(Exception):
    """A step failed: the message says which, why, and what to do."""
