import { expect, test } from "@odoo/hoot";
import { contains, defineModels, fields, models, mountView, onRpc } from "@web/../tests/web_test_helpers";
import { defineMailModels } from "@mail/../tests/mail_test_helpers";

const LINES = Array.from({ length: 40 }, (_, number) => `line ${number}`).join("\n");

class Job extends models.Model {
    _name = "nameko.job";

    shown_result = fields.Text();

    _records = [
        { id: 1, shown_result: "17" },
        { id: 2, shown_result: LINES },
        { id: 3, shown_result: "x".repeat(5000) },
        { id: 4, shown_result: false },
    ];
}

defineMailModels();
defineModels([Job]);
onRpc("has_group", () => true);

const open = (resId) =>
    mountView({
        resModel: "nameko.job",
        resId,
        type: "form",
        arch: `<form><field name="shown_result" widget="nameko_folded" readonly="1" /></form>`,
    });

test("a short text is shown whole", async () => {
    await open(1);
    expect("pre").toHaveText("17");
    expect("pre + button").toHaveCount(0);
});

test("a long text is unfolded and folded again", async () => {
    await open(2);
    expect("pre").not.toHaveText(/line 12/);
    expect("pre + button").toHaveAttribute("aria-expanded", "false");
    await contains("pre + button").click();
    expect("pre").toHaveText(/line 39/);
    expect("pre + button").toHaveText("Show Less");
    await contains("pre + button").click();
    expect("pre").not.toHaveText(/line 12/);
});

test("a long line is folded, too", async () => {
    await open(3);
    expect("pre").toHaveText(`${"x".repeat(1000)} …`);
    expect("pre + button").toHaveText("Show All");
});

test("nothing is an empty text", async () => {
    await open(4);
    expect("pre").toHaveText("");
});
