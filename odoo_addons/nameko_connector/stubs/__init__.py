"""Write a typed Python module for the services of the catalogue, for editors and type checkers.

Everything in the catalogue came over the broker, from anybody who may publish there. So this
package only lets through names, plain values and types that it knows, and documentation as
docstrings; all else becomes `Any` or is left out. It checks that the module compiles, and never
imports it. It does not import Odoo.

1. `annotation` translates the annotation of a parameter.
2. `method` writes a method: its parameters, and its documentation with `docstring`.
3. `module` writes a class and a function for each service, below the fixed part, which is `head`.
4. `output` writes the text to a file.
"""
