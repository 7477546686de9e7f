"""What the module says of usual services, and of those whose names clash."""

import ast

import pytest
from nameko_connector.stubs.head import head
from nameko_connector.stubs.module import module_text
from nameko_connector.stubs.output import write
from nameko_connector.tools.job_request import OPTIONS

from tests.stubs.catalogues import PRICING, Service, method, parameter

LOOK = '''

class Pricing(_t.Protocol):
    class _Methods(_t.Protocol[_Returned]):
        def currencies(self) -> _Returned: ...

        def quote(self, order_id: int, qty: int = 1) -> _Returned:
            """Quote a price."""

    call: _Methods[_t.Any]
    delay: _Methods[_models.BaseModel]
    request: _Methods[_JobRequest]

    def with_options(self, **options: _Unpack[_Options]) -> Pricing: ...


def pricing(env: _Environment, **options: _Unpack[_Options]) -> Pricing:
    """Prices."""
    return env["nameko.rpc"].service("pricing", **options)
'''


def written(*methods):
    """Return what is written below the fixed part for a service with these methods."""
    return module_text([Service("pricing", "", methods)]).removeprefix(head())


def functions(text):
    return [each.name for each in ast.parse(text).body if isinstance(each, ast.FunctionDef)]


def classes(text):
    return [each.name for each in ast.parse(text).body if isinstance(each, ast.ClassDef)][1:]


def test_a_service():
    assert module_text([PRICING]) == head() + LOOK


def test_the_order_of_services_and_methods_does_not_matter():
    other = Service("mail", "", PRICING.methods[::-1])
    assert module_text([other, PRICING]) == module_text([PRICING, other])
    assert functions(module_text([PRICING, other])) == ["mail", "pricing"]


def test_all_options_are_there():
    names = [
        line.partition(":")[0].strip() for line in head().partition("_Options(")[2].split("\n")
    ]
    assert set(names[1:-1]) == OPTIONS


@pytest.mark.parametrize(
    "name", ["class", "None", "_a", "__init__", "a.b", "a-b", "1a", "", "a\nb", "ﬁ", "ñ", 7, None]
)  # fmt: skip
def test_names_that_are_left_out(name):
    text = written(method("quote"), method(name))
    assert "        # Left out, because of their names: 1 method.\n" in text
    text = module_text([PRICING, Service(name, "", PRICING.methods)])
    assert functions(text) == ["pricing"]
    assert text.endswith("\n\n# Left out, because of their names: 1 service.\n")


def test_services_without_methods_are_left_out():
    assert module_text([Service("mail", "", ())]) == head()
    hidden = [Service(name, "", (method("_send"),)) for name in ("mail", "scan")]
    comment = "# Left out, because of their names: 2 services.\n"
    assert module_text(hidden) == f"{head()}\n\n{comment}"


@pytest.mark.parametrize(
    "name", ["env", "self", "typing", "Methods", "service", "_t", "Any", "none"]
)
def test_services_may_have_names_that_are_used_elsewhere(name):
    names = [] if name.startswith("_") else [name]
    assert functions(module_text([Service(name, "", (method(name),))])) == names


@pytest.mark.parametrize("name", ["int", "annotations"])
def test_services_may_not_hide_what_the_module_uses(name):
    assert functions(module_text([Service(name, "", PRICING.methods)])) == []


def test_classes_have_names_of_their_own():
    names = ["a_b", "aB", "AB", "a__b", "none", "true"]
    text = module_text([Service(name, "", PRICING.methods) for name in names])
    assert functions(text) == sorted(names)
    assert len({*classes(text), *names}) == 2 * len(names)
    assert {"None_", "True_"} < {*classes(text)}


def test_a_method_may_have_the_name_of_a_type():
    text = written(method("list", parameter("a", annotation="list[int]")))
    assert "def list(self, a: _builtins.list[int])" in text


def test_write(tmp_path):
    file, link = tmp_path / "services.py", tmp_path / "link.py"
    link.symlink_to(file)
    assert write(link, "é\n")
    before = file.stat()
    assert not write(file, "é\n")
    assert file.stat() == before
    assert write(link, "b\n")
    assert (file.read_text(), link.is_symlink()) == ("b\n", True)
    assert sorted(tmp_path.iterdir()) == [link, file]
