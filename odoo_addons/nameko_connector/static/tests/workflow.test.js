import { expect, test } from "@odoo/hoot";
import { contains, defineModels, fields, models, mockService, mountView, onRpc } from "@web/../tests/web_test_helpers";
import { defineMailModels } from "@mail/../tests/mail_test_helpers";
import { HEIGHT, WIDTH, layOut } from "@nameko_connector/workflow/layout";

class Job extends models.Model {
    _name = "nameko.job";

    workflow = fields.Json();

    _records = [
        {
            id: 2,
            workflow: {
                jobs: [
                    { id: 1, name: "ocr.read", state: "done", label: "Done", record: "Bill 7" },
                    { id: 2, name: "pricing.quote", state: "failed", label: "Failed", record: "" },
                ],
                links: [[1, 2]],
                is_whole: true,
            },
        },
        { id: 3, workflow: false },
    ];
}

defineMailModels();
defineModels([Job]);
onRpc("has_group", () => true);

const ARCH = `<form><field name="workflow" widget="nameko_workflow" /></form>`;

test("each job is to the right of those that it waits for", () => {
    const { places, width, height } = layOut(
        [1, 2, 3, 4],
        [
            [1, 2],
            [2, 4],
            [1, 4],
            [3, 4],
        ]
    );
    const x = (id) => places.get(id).x;
    expect(x(1)).toBe(0);
    expect(x(3)).toBe(0);
    expect(x(2)).toBeGreaterThan(x(1) + WIDTH);
    expect(x(4)).toBeGreaterThan(x(2) + WIDTH);
    expect(places.get(3).y).toBeGreaterThan(places.get(1).y + HEIGHT);
    expect(width).toBe(x(4) + WIDTH);
    expect(height).toBe(places.get(3).y + HEIGHT);
});

test("links in a circle end the layout", () => {
    const links = [
        [1, 2],
        [2, 1],
    ];
    expect(layOut([1, 2], links).places.size).toBe(2);
});

test("jobs are drawn with their states in words, and lead to their forms", async () => {
    mockService("action", { doAction: ({ res_id }) => expect.step(`open ${res_id}`) });
    await mountView({ resModel: "nameko.job", resId: 2, type: "form", arch: ARCH });
    expect(".o_nameko_workflow button").toHaveCount(2);
    expect(".o_nameko_workflow path").toHaveCount(1);
    expect("button[data-job='1']").toHaveText(/ocr\.read\s+Done · Bill 7/);
    expect("button[data-job='2'] [role=img]").toHaveAttribute("aria-label", "Failed");
    expect("button[data-job='2']").toHaveClass("border-primary");
    await contains("button[data-job='1']").click();
    expect.verifySteps(["open 1"]);
});

test("a job without others has no drawing", async () => {
    await mountView({ resModel: "nameko.job", resId: 3, type: "form", arch: ARCH });
    expect(".o_nameko_workflow").toHaveCount(0);
});
