"""Expressions: what they may say, and that there is no way out of them."""

import time

from hypothesis import given, settings
from hypothesis import strategies as st

from odoo.exceptions import AccessError
from odoo.tests import tagged

from ...action.expression.budget import Budget
from ...action.expression.evaluate import (
    FUNCTIONS,
    MOST_REASON,
    NAMES,
    InvalidExpression,
    _parsed_before,
    context_of,
    evaluate,
    fault,
)
from ...action.expression.modules import Names
from ...action.expression.record_view import RecordView
from .action_case import ActionCase

FORBIDDEN = (
    "record.env", "record.sudo()", "record.write({'ref': 'x'})", "record.unlink()",
    "record.with_user(1)", "record.search([])", "record._fields", "record.__class__",
    "record._RecordView__records", "record.mapped('_RecordView__records')", "record.mapped('env')",
    "record.mapped('parent_id._RecordView__records')", "record.mapped('sudo')", "user.env",
    "company.sudo()", "record.browse(1)", "getattr(record, 'env')", "setattr(record, 'ref', 1)",
    "vars(record)", "dir(record)", "type(record)", "record.mapped.__func__",
    "record.mapped.__globals__", "'{0.__class__}'.format(record)",
    "'{0._RecordView__records.env}'.format(record)", "str.format('{0.env}', record)",
    "'{r.env}'.format_map({'r': record})", "map(str.format, ['{0.__class__}'], [record])",
    "(lambda: 0).__globals__", "context_today.__globals__", "context_today.func_globals",
    "datetime.sys", "datetime.datetime.__subclasses__()", "time.sleep(9)", "time.os",
    "dateutil.parser.os", "__import__('os')", "open('/etc/passwd')", "eval('1')", "exec('1')",
    "compile('1', '', 'eval')", "globals()", "locals()", "print(1)", "input()", "super()",
    "object()", "(x := 1)", "await record", "(yield 1)", "[x async for x in record]", "import os",
    "record.ref = 1", "del record", "1; 2", "env", "model", "records", "self", "Command",
    "f'{env}'",
    "f'{record.env}'", "f'{record:{record.env}}'", "().__class__.__bases__[0].__subclasses__()",
    "[].mro", "(x for x in [1]).gi_frame", "str.mro()",
    "record['child_ids']", "'%(name)s' % record",
    "reduce(max, [1])", "Exception('x')",
)  # fmt: skip

X = "'x' * 10**6"
LONG = "[n for n in range(9999)]"
HOSTILE = (
    "(lambda T: (lambda U: max(range(3300), key=lambda x: U if x else T))(T[:-1]))('x' * 8000000)",
    "min(range(3300), key=lambda x: 'x' * 80000)", "sorted(range(3300), key=lambda x: 'x' * 80000)",
    "max(['2020-01-01' + ',' * 189] * 9000, key=dateutil.parser.parse)",
    "list(map(dateutil.parser.parse, [' at' * 60 + ' 2020-01-01'] * 9000))",
    "(lambda s: [s % () for i in range(22)])('1 ' * 500000)", "('1 ' * 7000000) % ()",
    "f\"{datetime.datetime(2020, 1, 1):{'%c' * 4000000}}\"",
    "f\"{datetime.datetime(2020, 1, 1):{'%999Y' * 100000}}\"",
    "datetime.timezone(datetime.timedelta(0), 'x' * 1000000)",
    "[record.child_ids.ids for i in range(9000)]", "int('1' * 4300, 36)",
    "9**9**9", "10**10**10 % 7", "2**(2**30)", "1 << 10**10", "[9**9999 for n in range(9999)]",
    "-(3**99999)", "'x' * 10**9", "10**9 * 'x'", "b'x' * 10**9", "[0] * 10**9", "(0,) * 10**9",
    "[[[0] * 9999] * 9999] * 9999", f"[{X} for n in range(9999)]", "list(range(10**12))",
    "sum(range(10**9))", "len(str(range(10**9)))", "'a' in range(10**9)", "max(range(10**9))",
    "sorted(range(10**9))", "set(range(10**8))", "dict.fromkeys(range(10**8))",
    "[0 for a in range(999) for b in range(999) for c in range(999)]",
    "all(any(False for b in range(9999)) for a in range(9999))",
    "[[(a, b) for a in range(9999)] for b in range(9999)]",
    "{n * (2**61 - 1): 1 for n in range(20000)}", "set(n * (2**61 - 1) for n in range(20000))",
    "(lambda f: f(f))(lambda f: f(f))", "(lambda f: [f(f), f(f)])(lambda f: [f(f), f(f)])",
    "(lambda f, n: f(f, n + 1))(lambda f, n: f(f, n + 1), 0)",
    f"[a == b for a in {LONG} for b in {LONG}]", f"sorted({LONG}, key=lambda n: sum({LONG}))",
    "(lambda d: d(d(d(d(d(d(d([0]))))))))(lambda x: [x] * 50)",
    "str((lambda d: d(d(d(d(d(d(d([0]))))))))(lambda x: [x, x, x, x, x, x, x, x, x, x, x]))",
    "'%1000000000d' % 1", "'%*d' % (10**9, 1)", "'%.1000000000f' % 1.5",
    f"'%s' * 9999 % ({X},) * 9", "'%(a)s' * 99999 % {'a': 'x' * 10**6}", "f'{1:1000000000}'",
    "f'{1:{10**9}}'", "f'{1.5:.999999999f}'", "'x'.ljust(10**9)", "'x'.rjust(10**9)",
    "'x'.center(10**9)", "'1'.zfill(10**9)", "'\t'.expandtabs(10**9)", f"'x'.join([{X}] * 9999)",
    f"({X}).join('abc' * 999)", f"({X}).replace('', {X})", f"({X}).replace('x', {X})",
    f"({X}).split('x')", f"list({X})", "('x' * 30000).count('x' * 15000 + 'y')",
    "('x' * 30000).rfind('y' + 'x' * 15000)", f"[c for c in {X}]",
    "('x' * 10**5).encode('punycode')", "('é' * 10**5).encode(encoding='punycode')",
    "len(('\ufbf9' * 14000000).encode('ascii', 'namereplace'))",
    "len(('é' * 10**6).encode('ascii', errors='xmlcharrefreplace'))",
    "[1 for i in range(25000) if 1700 * (2**61 - 1) in {k * (2**61 - 1): 1 for k in range(1500)}]",
    "[record.child_ids for i in range(9999)]", "[record.name for i in range(9999)]",
    "('é' * 10**5).encode('idna')", "int('9' * 10**6)",
    "int('1' * 10**7, 2)", "round(5, -10**9)", "round(10**4000, -10**7)", "divmod(10**9999, 3)",
    "str(10**9999)", "(10**4000)**4000", "list(dateutil.rrule.rrule(6))",
    "dateutil.rrule.rrule(6).count()", "dateutil.parser.parse('1' * 10**6)",
    "datetime.datetime.now().strftime('%999999999Y')", "time.strftime('%Y' * 10**6)",
    "datetime.datetime.strptime('1' * 9999, '%d' * 99)", "sum([[0] * 999] * 9999, [])",
    "record.mapped('child_ids.parent_id.child_ids.parent_id.child_ids.parent_id.child_ids."
    "parent_id.child_ids.parent_id.child_ids.parent_id.child_ids.parent_id.child_ids.id')",
    "[r for r in record.child_ids for r in r.parent_id.child_ids for r in r.parent_id.child_ids"
    " for r in r.parent_id.child_ids for r in r.parent_id.child_ids"
    " for r in r.parent_id.child_ids]",
    "min([[0] * 999] * 999)", "list(zip(*[range(999)] * 999))",
    "list(map(list, [range(9999)] * 99))", "+".join("1" * 2000), "-" * 2500 + "1",
    "not " * 1200 + "1", "1" + "[0]" * 1500, "x" * 9999, "(" * 2000, "[" * 2000 + "]" * 2000,
    "{" * 2000, "((((((((((((((((((((((((((((((((((((a:=1", "a" + ".b" * 2000,
    "f(" * 200 + ")" * 200, "{1:" * 200, "1 if 1 else " * 400, "'" + "é" * 6000 + "'",
    "[" + "x for x in [1] " * 300 + "]",
)  # fmt: skip
PIECES = (
    "9", "2**61", "'x'", "b'x'", "[0]", "(1, 2)", "{1: 2}", "{1}", "None", "1.5", "record",
    "record.child_ids", "range(99)", "context_today()", "datetime.timedelta(1)",
    "(lambda x: [x, x])",
)  # fmt: skip
FORMS = (
    "({} ** {})", "({} * {})", "({} + {})", "({} % {})", "({} << {})", "({} | {})", "({} == {})",
    "({} in {})", "[{} for x in {}]", "sum({}, {})", "str(({}, {}))", "f'{{{}}}{{{}}}'",
    "[{}, {}] * 99", "{}({})", "list(map({}, {}))", "sorted({}, key={})", "'%s%s' % ({}, {})",
    "dict([({}, {})])", "{}[{}]", "{}.join({})", "{}.replace({}, 'xx')", "round({}, {})",
    "max({}, {})", "(lambda x: {})({})", "set({}) | set({})", "int({}, {})", "list({}) * len({})",
)  # fmt: skip
SECONDS = 1  # of processor time; the most that was seen is a tenth


@tagged("post_install", "-at_install")
class TestExpression(ActionCase):
    def value(self, expression, record=None, user=None):
        record = (self.partner if record is None else record).with_user(user or self.env.user)
        return evaluate(expression, {**context_of(record.env), "record": RecordView(record)})

    def test_values(self):
        self.partner.child_ids = self.partners[1:]
        for expression, value in (
            ("record.name", "Ada"),
            (" record.id\n", self.partner.id),
            ("record.parent_id.name", False),
            ("record.parent_id.id", False),
            ("bool(record.parent_id)", False),
            ("record.child_ids.ids", self.partners[1:].ids),
            ("[c.name for c in record.child_ids]", ["Bea", "Cleo"]),
            ("record.child_ids.mapped('name')", ["Bea", "Cleo"]),
            ("record.child_ids.mapped('parent_id.name')", ["Ada", "Ada"]),
            ("record.child_ids[0].name", "Bea"),
            ("record.child_ids[1:].mapped('name')", ["Cleo"]),
            ("record in record.child_ids", False),
            ("record.child_ids[0] in record.child_ids", True),
            ("record == record.child_ids[0].parent_id", True),
            ("len({record, record.child_ids[0].parent_id})", 1),
            ("len(record.child_ids)", 2),
        ):
            self.assertEqual(self.value(expression), value, expression)

    def test_python(self):
        self.partner.child_ids = self.partners[1:]
        for expression, value in (
            ("sorted(record.child_ids, key=lambda c: c.name)[-1].name", "Cleo"),
            ("sum(len(c.name) for c in record.child_ids)", 7),
            ("f'{record.name}: {len(record.child_ids):03d}'", "Ada: 002"),
            ("'%s!' % record.name", "Ada!"),
            ("{'a': [1, 2.5, None, True]}", {"a": [1, 2.5, None, True]}),
            ("user.id == uid", True),
            ("company.name", self.env.company.name),
            ("context_today().year > 2000", True),
            (
                "(datetime.date(2024, 1, 31) + dateutil.relativedelta.relativedelta(months=1)).day",
                29,
            ),
            ("record.name if record.ref else 'none'", "Ada"),
        ):
            self.assertEqual(self.value(expression), value, expression)

    def test_no_way_out(self):
        self.partner.parent_id = self.partners[1]
        for expression in FORBIDDEN:
            with self.assertRaises(InvalidExpression, msg=expression):
                self.fail(f"{expression} gave {self.value(expression)!r}")

    def test_faults_name_what_is_wrong(self):
        for expression, words in (
            ("recrod.name", "recrod.* is unknown; there are record, user"),
            ("open('x')", "open.* is not allowed"),
            ("record.name +", "invalid syntax"),
            ("(" * 300 + ")" * 300, "nested|parenthes"),
            ("\0", "null"),
            ("", "syntax"),
        ):
            self.assertRegex(str(fault(expression)), words)

    def test_names_are_known(self):
        for name in (*NAMES, *FUNCTIONS):
            self.assertFalse(fault(name), name)
            self.value(f"[{name}] and 1")

    def test_faults_at_run_time_are_told(self):
        for expression, words in (
            ("1 / 0", "division by zero"),
            ("record.nothing", "res.partner has no field nothing"),
            ("record.name[9]", "IndexError"),
            ("record.child_ids[0].nothing", "IndexError"),
            ("int('x')", "ValueError: invalid literal"),
            ("record.name + 1", "TypeError"),
            ("(lambda f: f(f))(lambda f: f(f))", "nested too deeply"),
        ):
            with self.assertRaisesRegex(InvalidExpression, words):
                self.value(expression)

    def test_field_of_many_records_at_once_is_told(self):
        self.partner.child_ids = self.partners[1:]
        with self.assertRaisesRegex(InvalidExpression, "singleton"):
            self.value("record.child_ids.name")

    def test_user_sees_their_own_rights(self):
        portal = self.new_user("portal_expression", "base.group_portal")
        with self.assertRaises(AccessError):
            self.value("record.name", self.partner, portal)
        self.assertEqual(self.value("record.id", self.partner, portal), self.partner.id)
        self.assertEqual(self.value("uid", self.partner, portal), portal.id)

    def seconds(self, expression):
        """Evaluate it to a value or a clear error; return the seconds of processor time."""
        started = time.thread_time()
        try:
            self.value(expression)
        except InvalidExpression as error:
            self.assertTrue(str(error).strip(), expression)
        return time.thread_time() - started

    def test_hostile_expressions_end_soon(self):
        self.partner.child_ids = self.partners[1:]
        self.env["res.partner"].create([{"name": "More", "parent_id": self.partner.id}] * 20)
        self.value("record.child_ids.mapped('parent_id.child_ids.name')")  # into the cache
        for expression in HOSTILE:
            with self.subTest(expression=expression[:100]):
                self.assertLess(self.seconds(expression), SECONDS)
                with self.assertRaises(InvalidExpression):
                    self.value(expression)

    def test_several_expressions_share_a_budget(self):
        names, budget = context_of(self.env), Budget()
        evaluate("max(range(9000))", names, budget)
        with self.assertRaisesRegex(InvalidExpression, "too many steps"):
            evaluate("max(range(9000))", names, budget)

    def test_what_costs_more_than_its_steps_ends_after_a_second(self):
        slow = Names({"down": lambda: [n * n for n in range(100_000)]})
        with self.assertRaisesRegex(InvalidExpression, "too long"):
            evaluate("[len(record.down()) for n in range(9000)]", {"record": slow}, Budget(10**12))

    def test_values_in_reasons_are_cut(self):
        with self.assertRaises(InvalidExpression) as caught:
            self.value("{}['x' * 5000000]")
        self.assertLessEqual(len(str(caught.exception)), MOST_REASON)

    def test_long_expressions_are_not_kept(self):
        before = _parsed_before.cache_info().currsize
        for number in range(20):
            self.value(f"[{number}{', 1' * 1000}]")
        self.assertEqual(_parsed_before.cache_info().currsize, before)

    def test_any_expression_ends_soon(self):
        expressions = st.recursive(
            st.sampled_from(PIECES),
            lambda inner: st.builds(str.format, st.sampled_from(FORMS), inner, inner),
            max_leaves=12,
        )

        @settings(max_examples=500, derandomize=True, database=None, deadline=None)
        @given(expressions)
        def holds(expression):
            self.assertLess(self.seconds(expression), SECONDS, expression)

        holds()

    def test_large_fields_are_sent(self):
        self.partner.comment = "é" * 2_000_000
        self.assertEqual(len(self.value("record.comment")), len(self.partner.comment))
        self.assertTrue(self.value("[record.comment, record.comment.upper()]"))

    def test_thousand_lines_are_sent(self):
        self.env["res.partner"].create([{"name": "x", "parent_id": self.partner.id}] * 1000)
        lines = (
            "[{'id': c.id, 'name': c.name, 'to': f'{c.parent_id.name}!'} for c in record.child_ids]"
        )
        self.assertEqual(len(self.value(lines)), 1000)
