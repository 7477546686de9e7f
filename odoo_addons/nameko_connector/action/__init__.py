"""What a server action needs to call a method and to use the answer; nothing here is a model.

`expression` evaluates what the designer typed, on views of the records; `signature` tells whether a
method takes such arguments; `results` finds the wanted part of an answer, as a field's value.
"""
