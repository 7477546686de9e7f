"""Functions for server actions that call a Nameko method and use its answer. No models.

`expression` evaluates what the designer typed, on read-only views of the records; `signature`
checks arguments against a method's parameters; `results` converts part of an answer to a field's
value.
"""
