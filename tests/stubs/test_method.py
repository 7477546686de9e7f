"""Parameters, annotations, defaults and documentation, as the catalogue may have them."""

import ast

import pytest
from nameko_connector.stubs.annotation import Types, joined
from nameko_connector.stubs.docstring import MOST_DOC, docstring
from nameko_connector.stubs.method import method_text

from tests.stubs.catalogues import method, parameter

ANYTHING = "(self, /, *args: _t.Any, **kwargs: _t.Any) -> _Returned: ..."
REQUIRED, OPTIONAL = parameter("a"), parameter("b", default=1)
REST = parameter("c", "VAR_KEYWORD")


def signature(*parameters):
    """Return the signature that is written for some parameters, in one line."""
    text = method_text(method("quote", *parameters), Types())
    line = text.partition("def quote")[2]
    return " ".join(line.split())


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ([REQUIRED, OPTIONAL], "(self, a: _t.Any, b: _t.Any = 1) -> _Returned: ..."),
        (
            [parameter("a", "POSITIONAL_ONLY"), parameter("b", "KEYWORD_ONLY")],
            "(self, a: _t.Any, /, *, b: _t.Any) -> _Returned: ...",
        ),
        (
            [parameter("a", "VAR_POSITIONAL"), parameter("b", "KEYWORD_ONLY"), REST],
            "(self, *a: _t.Any, b: _t.Any, **c: _t.Any) -> _Returned: ...",
        ),
        ([OPTIONAL, REQUIRED], ANYTHING),
        ([parameter("a", "POSITIONAL_ONLY", default=1), REQUIRED], ANYTHING),
        ([parameter("b", "KEYWORD_ONLY"), REQUIRED], ANYTHING),
        ([parameter("a", "VAR_POSITIONAL"), parameter("b", "VAR_POSITIONAL")], ANYTHING),
        ([parameter("a", "VAR_POSITIONAL", default=1)], ANYTHING),
        ([REQUIRED, REQUIRED], ANYTHING),
        ([parameter("a", "ANY")], ANYTHING),
        ([parameter("self")], ANYTHING),
        ([parameter("class")], ANYTHING),
        ([parameter("__debug__")], ANYTHING),
        ([parameter("__a")], ANYTHING),
        ([parameter("a: int = 1")], ANYTHING),
        ([parameter("ﬁ")], ANYTHING),
        ([parameter(7)], ANYTHING),
        ([{}], ANYTHING),
        (["a"], ANYTHING),
    ],
)  # fmt: skip
def test_parameters(parameters, expected):
    assert signature(*parameters) == expected


def test_hundreds_of_parameters():
    many = [parameter(f"a{number}", annotation="int") for number in range(500)]
    assert signature(*many).count(": int,") == 500


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        ("int", "int"), ("'int'", "int"), ('"int | None"', "int | None"), ("None", "None"),
        ("str | None", "str | None"), ("Optional[str]", "str | None"),
        ("typing.Optional[int]", "int | None"), ("Union[int, str, int]", "int | str"),
        ("list[int | None]", "list[int | None]"), ("List[int]", "list[int]"),
        ("list", "list[_t.Any]"), ("dict", "dict[_t.Any, _t.Any]"), ("tuple", "tuple[_t.Any, ...]"),
        ("dict[str, list[Any]]", "dict[str, list[_t.Any]]"), ("tuple[int, ...]", "tuple[int, ...]"),
        ("tuple[int, str]", "tuple[int, str]"), ("Decimal", "_decimal.Decimal"),
        ("decimal.Decimal", "_decimal.Decimal"), ("datetime.date", "_datetime.date"),
        ("collections.abc.Sequence[int]", "_t.Sequence[int]"), ("list[Foo]", "list[_t.Any]"),
        ("Foo", "_t.Any"), ("Foo | None", "_t.Any"), ("list[int, str]", "_t.Any"),
        ("list[int, ...]", "_t.Any"), ("tuple[..., int]", "tuple[_t.Any, int]"),
        ("int[str]", "_t.Any"), ("a.date", "_t.Any"), ("__import__('os')", "_t.Any"),
        ("int = 1", "_t.Any"), ("int, str", "_t.Any"), ("[int]", "_t.Any"), ("...", "_t.Any"),
        ("lambda", "_t.Any"), ("int\n", "_t.Any"), ("", "_t.Any"), (7, "_t.Any"), (None, "_t.Any"),
        ("list[" * 32 + "int" + "]" * 32, "list[" * 32 + "int" + "]" * 32),
        ("[" * 200, "_t.Any"), ("list[" * 39 + "]" * 5, "_t.Any"), ("int" * 100, "_t.Any"),
    ],
)  # fmt: skip
def test_annotations(annotation, expected):
    assert joined(Types().allowed(annotation)) == expected


@pytest.mark.parametrize(
    ("annotation", "default", "expected"),
    [
        ("int", 1, "1"), ("int", -1, "-1"), ("float", 1, "1"), ("float", 1.5, "1.5"),
        ("bool", True, "True"), ("int", True, "True"), ("str", "a'\n\u202e", '"a\'\\n\\u202e"'),
        ("int | None", None, "None"), ("Any", None, "None"), ("Any", "x", "'x'"),
        ("int", None, "..."), ("int", 1.5, "..."), ("int", "1", "..."), ("Any", [1], "..."),
        ("decimal.Decimal", "Decimal('1')", "..."), ("Any", "x" * 99, "..."),
        ("Any", float("inf"), "..."), ("Any", float("nan"), "..."),
        pytest.param("Any", 10**5000, "...", id="huge"),
    ],
)  # fmt: skip
def test_defaults(annotation, default, expected):
    described = parameter("a", annotation=annotation, default=default)
    assert signature(described).partition(" = ")[2].partition(") ->")[0] == expected


@pytest.mark.parametrize(
    ("doc", "value"),
    [
        ('Say "hi".', 'Say "hi".'), ('"""', '"""'), ('a"', 'a"'), ('""""a""""', '""""a""""'),
        ("a\\", "a\\"), ("\\'\\\"", "\\'\\\""), ("a\\\n  b \nc", "a\\\n  b\nc"), ("\n\n", None),
        ("a\r\nb", "a\nb"), ("a\tb\u2028c", "a b c"), ("a\u202eb\x1b[31m\0c\u200b", "ab[31mc"),
        (None, None), (7, None), ("x" * 2000, "x" * MOST_DOC + "…"),
    ],
)  # fmt: skip
def test_docs(doc, value):
    tree = ast.parse(f"def f():\n{docstring(doc, '    ')}    ...")
    assert ast.get_docstring(tree.body[0]) == value
