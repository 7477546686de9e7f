"""Whether a method takes some arguments is decided as Python decides it."""

import inspect
import itertools

from odoo.tests import BaseCase, tagged

from ...action.signature import Signature

KINDS = [kind.name for kind in inspect._ParameterKind]
NAMES = ("a", "b", "c")


def signatures():
    """Make every valid signature of up to three parameters, as the catalogue has it."""
    for count in range(len(NAMES) + 1):
        for each in itertools.product(itertools.product(KINDS, (False, True)), repeat=count):
            parameters = [
                {"name": name, "kind": kind, **({"default": 1} if default else {})}
                for name, (kind, default) in zip(NAMES, each, strict=False)
            ]
            try:
                yield parameters, as_python_has_it(parameters)
            except (ValueError, SyntaxError):
                continue


def as_python_has_it(parameters):
    """Make the function; `bind` of inspect differs from one version of Python to the next."""
    signature = inspect.Signature(
        inspect.Parameter(
            each["name"],
            inspect._ParameterKind[each["kind"]],
            default=each.get("default", inspect.Parameter.empty),
        )
        for each in parameters
    )
    return eval(f"lambda {str(signature)[1:-1]}: None")  # noqa: S307  # pylint: disable=eval-used


def is_taken(signature, by_name):
    return not (
        not signature.has_room()
        or any(map(signature.is_positional_only, by_name))
        or any(map(signature.is_given_twice, by_name))
        or any(map(signature.is_unknown, by_name))
        or any(signature.missing())
    )


def is_taken_by_python(function, positional, by_name):
    try:
        function(*range(positional), **dict.fromkeys(by_name))
    except TypeError:
        return False
    return True


@tagged("post_install", "-at_install")
class TestSignature(BaseCase):
    def test_every_call_of_every_signature_is_judged_as_python_does(self):
        verdicts = set()
        for parameters, expected in signatures():
            for positional in range(len(NAMES) + 1):
                for by_name in every_choice((*NAMES, "other")):
                    taken = is_taken(Signature(parameters, positional, by_name), by_name)
                    wanted = is_taken_by_python(expected, positional, by_name)
                    self.assertEqual(taken, wanted, (parameters, positional, by_name))
                    verdicts.add(taken)
        self.assertEqual(verdicts, {True, False})


def every_choice(names):
    return itertools.chain.from_iterable(
        itertools.combinations(names, count) for count in range(len(names) + 1)
    )
