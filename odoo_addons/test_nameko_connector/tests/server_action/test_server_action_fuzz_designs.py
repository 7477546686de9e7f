"""Whatever managers write: it is taken and works, or is refused with a clear error."""

from hypothesis import given
from hypothesis import strategies as st

from odoo.addons.nameko_compute.tests.common import WithComputations
from odoo.addons.nameko_connector.testing import answered_calls
from odoo.addons.nameko_connector.tests.server_action.action_case import ActionCase
from odoo.exceptions import UserError, ValidationError
from odoo.tests import tagged

from .odd_values import examples

TOKENS = st.sampled_from(
    ["record", "user", "company", "uid", "datetime", "time", "context_today", "x", "1", "'a'",
     "None", "2.5", ".", ",", ":", "(", ")", "[", "]", "{", "}", " ", "+", "-", "/", "==", " in ",
     " if ", " else ", " for ", " and ", " not ", " lambda ", " is ", "name", "id", "ids", "env",
     "sudo",
     "child_ids", "mapped", "__class__", "_fields", "f'{", "}'", "format", "len", "str", "list",
     "\n", "\\", "#", ";", "=", ":=", "*", "import", "é", "await "]
)  # fmt: skip
# What PostgreSQL cannot hold, Odoo refuses in any field.
STORABLE = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=10)
EXPRESSIONS = st.one_of(st.lists(TOKENS, max_size=10).map("".join), STORABLE)
NAMES = st.sampled_from(
    ["name", "quantity", "currency", "rebate", "class", "1st", "", "na me", "é"]
)
ROWS = st.lists(
    st.tuples(NAMES, st.sampled_from(["keyword", "positional"]), st.sampled_from(["1", "'a'", ""])),
    max_size=4,
)


def quote(name, /, quantity=1, *, currency):
    """Stand for the method of the catalogue's entry below."""


QUOTE = [
    {"name": "name", "kind": "POSITIONAL_ONLY"},
    {"name": "quantity", "kind": "POSITIONAL_OR_KEYWORD", "default": 1},
    {"name": "currency", "kind": "KEYWORD_ONLY"},
]


@tagged("post_install", "-at_install")
class TestDesigns(WithComputations, ActionCase):
    def saved(self, **values):
        """Save an action; return None where it is refused, clearly."""
        try:
            with self.env.cr.savepoint():
                return self.new_action({}, nameko_result_kind="nothing", **values)
        except ValidationError as error:
            self.assertTrue(str(error).strip())
            return None

    def sent(self, action):
        """Run it; return the request, or None where nothing could be sent."""
        with answered_calls({"pricing.quote": 1}) as requests:
            try:
                with self.env.cr.savepoint():
                    self.run_on(action, self.partner)
            except UserError as error:
                self.assertIn("sent nothing", str(error))
        return requests[0] if requests else None

    def test_expressions(self):
        @examples(1500)
        @given(EXPRESSIONS)
        def holds(expression):
            rows = [(0, 0, {"name": "name", "value": expression})]
            if action := self.saved(nameko_parameter_ids=rows):
                self.sent(action)
                action.unlink()

        before = self.partner.read(["name", "ref", "comment"])
        holds()
        self.assertEqual(self.partner.read(["name", "ref", "comment"]), before)

    def test_identity_keys_and_domains(self):
        @examples(300)
        @given(EXPRESSIONS)
        def holds(expression):
            for name, values in (
                ("nameko_identity_key", {"nameko_when": "later"}),
                ("nameko_domain", {"nameko_by_domain": True}),
            ):
                if action := self.saved(**{name: expression}, **values):
                    with answered_calls({"pricing.quote": 1}):
                        try:
                            with self.env.cr.savepoint():
                                action.run()
                        except UserError as error:
                            self.assertTrue(str(error).strip())
                    action.unlink()

        holds()

    def test_parameter_tables(self):
        method = self.new_method(parameters=QUOTE)

        @examples(500)
        @given(ROWS)
        def holds(rows):
            table = [(0, 0, dict(zip(("name", "kind", "value"), row, strict=True))) for row in rows]
            if action := self.saved(nameko_method_id=method.id, nameko_parameter_ids=table):
                request = self.sent(action)
                quote(*request.args, **request.kwargs)  # or raises TypeError
                action.unlink()

        holds()

    def test_good_tables_are_taken(self):
        method = self.new_method(parameters=QUOTE)
        for rows in (
            [("name", "positional"), ("currency", "keyword")],
            [("currency", "keyword"), ("quantity", "keyword"), ("name", "positional")],
            [("name", "positional"), ("quantity", "positional"), ("currency", "keyword")],
        ):
            table = [(0, 0, {"name": name, "kind": kind, "value": "1"}) for name, kind in rows]
            self.assertTrue(self.saved(nameko_method_id=method.id, nameko_parameter_ids=table))
