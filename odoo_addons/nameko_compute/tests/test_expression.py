"""Expressions: what they may say, and that there is no way out of them."""

from odoo.exceptions import AccessError, UserError
from odoo.tests import tagged

from ..expression import FUNCTIONS, NAMES, InvalidExpression, context_of, evaluate, fault
from ..record_view import RecordView
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
    "[].mro", "(x for x in [1]).gi_frame", "str.mro()", "reduce(max, [1])", "Exception('x')",
)  # fmt: skip


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
            self.assertRegex(fault(expression), words)

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
            ("(lambda f: f(f))(lambda f: f(f))", "RecursionError"),
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

    def test_error_of_a_field_is_the_user_s(self):
        def broken(record, field, *_args):
            raise UserError("Not today.")

        self.patch(type(self.partner._fields["ref"]), "__get__", broken)
        with self.assertRaisesRegex(UserError, "Not today"):
            self.value("record.ref")
