"""Whatever managers write and services answer: a right value or a clear error, nothing between."""

import math
from datetime import date, datetime
from decimal import Decimal
from functools import partial

from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from odoo.addons.nameko_compute.tests.common import WithComputations
from odoo.addons.nameko_connector.tests.server_action.action_case import ActionCase, remote_error
from odoo.exceptions import UserError
from odoo.tests import tagged
from odoo.tools import html2plaintext

from .odd_values import ANSWERS, ODD, TEXTS, examples

FIELDS = {
    "res.partner": ("ref", "comment", "color", "partner_latitude", "type", "is_company", "name"),
    "nameko.compute": ("error", "computed_at", "operation", "is_mailed", "name", "value"),
    "res.currency.rate": ("name", "rate"),
}


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
