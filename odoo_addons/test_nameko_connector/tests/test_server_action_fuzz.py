"""Whatever managers write and services answer: a right value or a clear error, nothing between."""

import math
from datetime import date, datetime
from decimal import Decimal
from functools import partial

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from markupsafe import Markup

from odoo.addons.nameko_compute.tests.common import WithComputations
from odoo.addons.nameko_connector.tests.action_case import ActionCase, remote_error
from odoo.addons.nameko_connector.tests.recorded_calls import answered_calls
from odoo.exceptions import UserError, ValidationError
from odoo.tests import tagged
from odoo.tools import html2plaintext

FIELDS = {
    "res.partner": ("ref", "comment", "color", "partner_latitude", "type", "is_company", "name"),
    "nameko.compute": ("error", "computed_at", "operation", "is_mailed", "name", "value"),
    "res.currency.rate": ("name", "rate"),
}
ODD_TEXTS = (
    "", "\0", "\ud800", "x" * 5000, "<b>x</b>", "sum", "invoice", "2024-02-29", "2024-02-30",
    "2024-02-29T12:00:00Z", "2024-02-29 12:00:00+02:00", "0001-01-01T00:00:00+14:00", "1",
)  # fmt: skip
ODD_NUMBERS = (
    2**31, -(2**31) - 1, 2**63, 10**400,
    Decimal("NaN"), Decimal("sNaN"), Decimal("0.1"), Decimal("1e999999"),
)  # fmt: skip
ODD = (
    None, True, False, 0, -1, 1.5, math.nan, math.inf, -math.inf, *ODD_NUMBERS, *ODD_TEXTS, b"x",
    date(2024, 2, 29), datetime(2024, 2, 29, 12), datetime(1, 1, 1), [], {}, [1], {"a": 1},
    {"__type__": "x"}, [[[[None]]]],
)  # fmt: skip
TEXTS = st.one_of(st.text(max_size=20), st.sampled_from(ODD_TEXTS))
NUMBERS = st.one_of(st.integers(), st.floats(), st.sampled_from(ODD_NUMBERS))
SCALARS = st.one_of(
    st.none(), st.booleans(), NUMBERS, TEXTS, st.binary(max_size=5), st.dates(), st.datetimes()
)
ANSWERS = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=5,
)
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


def examples(count):
    """Give the same examples in each run, of which all run in one transaction."""
    return settings(
        max_examples=count,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


def is_right(written, answer):
    """Tell whether a field's value is what was answered."""
    if answer is None:
        return not written
    if isinstance(answer, bool) or isinstance(written, bool):
        return written is answer or (written is False and answer == "")
    if isinstance(answer, int | float | Decimal):
        return math.isclose(written, answer, rel_tol=1e-6, abs_tol=1e-6)
    return written == answer or is_same(written, answer)


def is_same(written, answer):
    """Compare what is not kept in the form in which it came."""
    if isinstance(written, datetime):
        return written == _moment(answer)
    if isinstance(written, date):  # as it was said, wherever
        return str(answer).startswith(str(written))
    return isinstance(written, Markup) and html2plaintext(written) == html2plaintext(answer)


def _moment(answer):
    if isinstance(answer, datetime):
        return answer.replace(microsecond=0)
    if isinstance(answer, date):
        return datetime(answer.year, answer.month, answer.day)
    moment = datetime.fromisoformat(answer.replace("Z", "+00:00"))
    return (moment - (moment.utcoffset() or moment - moment)).replace(tzinfo=None, microsecond=0)


@tagged("post_install", "-at_install")
class TestAnswers(WithComputations, ActionCase):
    def setUp(self):
        super().setUp()
        euro, today = self.env.ref("base.EUR"), date(2020, 1, 1)
        self.records = {
            "res.partner": self.partner,
            "nameko.compute": self.computation(1, 2),
            "res.currency.rate": self.env["res.currency.rate"].create(
                {"currency_id": euro.id, "name": today, "rate": 2}
            ),
        }

    def actions(self, **values):
        for model, names in FIELDS.items():
            model_id = self.env["ir.model"]._get(model).id
            for name in names:
                field = self.field(name, model).id
                yield (
                    self.records[model],
                    name,
                    self.new_action({}, model_id=model_id, nameko_result_field_id=field, **values),
                )

    def snapshot(self, record):
        self.env.flush_all()
        self.env.invalidate_all()
        # What is computed may change with the result, and what is tracked leaves messages.
        names = [
            name
            for name, field in record._fields.items()
            if field.store and not field.compute and field.type not in ("one2many", "many2many")
        ]
        (values,) = record.read(names, load="")
        return {name: values[name] for name in values if not name.startswith("write_")}

    def check(self, record, name, run, answer):
        """Run, and compare with before; whatever it wrote is undone."""
        before = self.snapshot(record)
        savepoint = self.env.cr.savepoint()
        try:
            written = run()
            after = self.snapshot(record)
            if written:
                self.assertTrue(is_right(after[name], answer), (name, after[name], answer))
            else:
                self.assertEqual(after[name], before[name], (name, answer))
            others = {each: after[each] for each in after if each != name}
            self.assertEqual(others, {each: before[each] for each in others})
        finally:
            savepoint.close(rollback=True)
            self.env.invalidate_all()

    def runs_now(self, action, record, answer):
        with self.env.cr.savepoint():
            try:
                self.run_answered(action, record, answer)
            except UserError as error:
                self.assertTrue(str(error).strip())
                self.assertNotIn("Traceback", str(error))
                return False
        return True

    def test_now(self):
        actions = list(self.actions())

        @examples(60)
        @given(ANSWERS)
        def holds(answer):
            for record, name, action in actions:
                self.check(record, name, partial(self.runs_now, action, record, answer), answer)

        holds()

    def test_odd_answers_now(self):
        for record, name, action in list(self.actions()):
            for number, answer in enumerate(ODD):
                with self.subTest(field=name, odd=number):
                    self.check(record, name, partial(self.runs_now, action, record, answer), answer)

    def runs_later(self, action, record, answer):
        self.run_on(action, record)
        job = self.jobs_of(action)
        self.reply(job, '"kept"', answer)
        self.assertIn(job.state, ("done", "failed"))
        if job.state == "failed":
            self.assertTrue(job.error_message)
            self.assertEqual(job.get_result(), "kept")
        return job.state == "done"

    def test_later(self):
        actions = list(self.actions(nameko_when="later"))

        @examples(20)
        @given(ANSWERS)
        def holds(answer):
            for record, name, action in actions:
                self.check(record, name, partial(self.runs_later, action, record, answer), answer)

        holds()

    def test_chatter_takes_anything(self):
        action = self.new_action({}, nameko_result_kind="chatter")

        @examples(100)
        @given(ANSWERS)
        def holds(answer):
            self.assertTrue(self.runs_now(action, self.partner, answer))

        holds()

    def test_parts(self):
        action = self.new_action({}, "ref", nameko_on_error="chatter")

        @examples(100)
        @given(ANSWERS, st.lists(st.sampled_from("ab01é"), min_size=1, max_size=3))
        def holds(answer, path):
            action.nameko_result_path = ".".join(path)
            self.assertTrue(self.runs_now(action, self.partner, {"a": [answer], "0": answer}))

        holds()

    def test_texts_of_errors(self):
        action = self.new_action({}, nameko_on_error="chatter")

        @examples(50)
        @given(TEXTS)
        def holds(text):
            self.assertTrue(self.runs_now(action, self.partner, remote_error(text)))

        holds()


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
