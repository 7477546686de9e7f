"""Whatever is in the catalogue: only known kinds of code are written, and the same each time."""

import ast
import io
import re
import tokenize

from hypothesis import example, given, settings
from hypothesis import strategies as st
from nameko_connector.stubs.annotation import BUILTINS, Types
from nameko_connector.stubs.head import head
from nameko_connector.stubs.method import KINDS as KINDS_OF_PARAMETERS
from nameko_connector.stubs.method import method_text
from nameko_connector.stubs.module import module_text
from nameko_connector.stubs.names import is_name

from tests.stubs.catalogues import Service, method, parameter

NASTY = st.lists(
    st.sampled_from(['"', "'", "\\", "\n", "\r", "{", "}", "#", " ", "x", "\u202e", "\0", "\ud800"])
    | st.sampled_from(
        ['"""', "import os", "# mypy: ignore-errors", "__import__('os')", "\nx = 1\n"]
    )
).map("".join)
TEXTS = NASTY | st.text(max_size=30)
NAMES = (
    st.sampled_from(
        ["a", "b", "self", "env", "options", "list", "int", "none", "class", "_a", "__a"]
    )
    | st.from_regex(r"[a-zA-Z_]\w{0,5}", fullmatch=True)
    | TEXTS
)
KNOWN = st.sampled_from([*BUILTINS, "None", "Any", "Foo", "datetime.date", "Decimal", "..."])
OTHER_CODE = st.sampled_from(
    ["not a", "[a]", "a or b", "a if b else c", "a.b[c].d", "a, b", "await a"]
)
ANNOTATIONS = TEXTS | st.recursive(
    KNOWN | OTHER_CODE,
    lambda inner: (
        st.builds("{} | {}".format, inner, inner)
        | st.builds("{}[{}]".format, KNOWN | st.just("Optional"), inner)
        | st.builds("{}[{}, {}]".format, KNOWN | st.just("Union"), inner, inner)
    ),
    max_leaves=8,
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=5,
)
KINDS = st.sampled_from(["?", *KINDS_OF_PARAMETERS])
PARAMETERS = st.fixed_dictionaries(
    {"name": st.sampled_from("abcdefgh") | NAMES, "kind": KINDS},
    optional={"annotation": ANNOTATIONS, "default": JSON},
)
METHODS = st.builds(method, NAMES, doc=TEXTS) | st.fixed_dictionaries(
    {
        "name": NAMES | JSON,
        "doc": TEXTS | JSON,
        "parameters": st.lists(PARAMETERS, max_size=4) | JSON,
    }
)
SERVICES = st.builds(
    Service, NAMES | JSON, TEXTS | JSON, st.lists(METHODS, max_size=4).map(tuple)
)  # fmt: skip
TYPES = (
    ast.Name, ast.Attribute, ast.Subscript, ast.Tuple, ast.BinOp, ast.BitOr, ast.Constant, ast.Load,
)  # fmt: skip
NAMES_OF_TYPES = {*BUILTINS, "_t", "_builtins", "_datetime", "_decimal", "_uuid", "_Returned"}
CLASS = """\
class {name}(_t.Protocol):

    class _Methods(_t.Protocol[_Returned]):
        pass
    call: _Methods[_t.Any]
    delay: _Methods[_models.BaseModel]
    request: _Methods[_JobRequest]

    def with_options(self, **options: _Unpack[_Options]) -> {name}:
        ..."""
FUNCTION = """\
def {service}(env: _Environment, **options: _Unpack[_Options]) -> {name}:
    return env['nameko.rpc'].service('{service}', **options)"""
HOSTILE = method("quote", parameter("a", annotation="str", default='"""\\'), doc='"""\nimport os\n')


@example([Service("pricing", '"""\\', (HOSTILE,))])
@given(st.lists(SERVICES, max_size=4))
def test_only_known_code_is_written(services):
    text = module_text(services)
    assert text.startswith(head())
    assert all(each == "\n" or each.isprintable() for each in text)
    ast.parse(text, feature_version=(3, 10))
    body = ast.parse(text.removeprefix(head())).body
    for shape, function in zip(body[::2], body[1::2], strict=True):
        check_class(shape)
        check_function(function, shape.name)
    names = [each.name for each in body]
    assert len({*names}) == len(names)
    assert all(map(is_name, names))
    check_comments(text.removeprefix(head()))


@given(st.lists(PARAMETERS, max_size=4, unique_by=repr), TEXTS)
def test_only_known_parameters_are_written(parameters, doc):
    text = method_text(method("quote", *parameters, doc=doc), Types({"list"}))
    (shape,) = ast.parse(f"class _Methods:\n{text}").body
    (definition,) = shape.body
    check_method(definition)


@settings(max_examples=30)
@given(st.lists(SERVICES, max_size=4, unique_by=lambda service: repr(service.name)))
def test_the_text_is_always_the_same(services):
    assert module_text(services) == module_text(services[::-1])


def check_class(shape):
    methods = shape.body[0]
    for each in methods.body:
        check_method(each)
    methods.body = [ast.Pass()]
    assert ast.unparse(shape) == CLASS.format(name=shape.name)


def check_function(function, name):
    if len(function.body) > 1:
        assert is_text(function.body.pop(0))
    assert ast.unparse(function) == FUNCTION.format(service=function.name, name=name)


def check_method(definition):
    """Check that it has documentation or dots, known types and plain defaults; nothing else."""
    (body,) = definition.body
    assert is_text(body) or body.value.value is ...
    assert ast.unparse(definition.returns) == "_Returned"
    assert definition.decorator_list == []
    arguments = definition.args
    for default in [*arguments.defaults, *filter(None, arguments.kw_defaults)]:
        assert isinstance(ast.literal_eval(default), (type(None), type(...), bool, int, float, str))
    nodes = [node for each in ast.walk(arguments) if isinstance(each, ast.arg) and each.annotation
             for node in ast.walk(each.annotation)]  # fmt: skip
    assert all(isinstance(node, TYPES) for node in nodes)
    assert {node.id for node in nodes if isinstance(node, ast.Name)} <= NAMES_OF_TYPES
    assert {node.value for node in nodes if isinstance(node, ast.Constant)} <= {None, ...}


def is_text(statement):
    return isinstance(statement.value, ast.Constant) and isinstance(statement.value.value, str)


def check_comments(text):
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    for comment in (each.string for each in tokens if each.type == tokenize.COMMENT):
        assert re.fullmatch(
            r"# Left out, because of their names: \d+ (method|service)s?\.", comment
        )
