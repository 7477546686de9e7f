import { expect, test, waitFor } from "@odoo/hoot";
import { advanceTime, animationFrame } from "@odoo/hoot-mock";
import { contains, getService, makeMockEnv, mockService, mountWithCleanup, onRpc } from "@web/../tests/web_test_helpers";
import { defineMailModels } from "@mail/../tests/mail_test_helpers";
import { WebClient } from "@web/webclient/webclient";
import { formatSeconds } from "@nameko_connector/overview/format_seconds";

defineMailModels();

const NOTHING = { waiting: 0, later: 0, running: 0, oldest: false, done: 0, failed: 0 };
const TIMES = { waited: [null, null], ran: [null, null] };
const FAILURE = {
    id: 7,
    display_name: "pricing.quote",
    shape: "no stock for product …",
    failed_count: 31,
    first_at: "2026-11-30 09:12:00",
    last_at: "2026-11-30 10:40:00",
};

function overview(changes = {}) {
    return {
        lights: [{ key: "relay", level: "bad", title: "Relays: none running", text: "Start one" }],
        counted_at: "2026-11-30 10:42:00",
        total: { ...NOTHING, ...TIMES, rate: 0, left: false },
        minutes: [{ minute: "2026-11-30 10:42:00", done: 0, failed: 0, ...TIMES }],
        services: [],
        failures: [],
        ...changes,
    };
}

/** Show the overview; return what the relay's message calls. */
async function show(answers) {
    let heard;
    mockService("nameko_live", {
        heardAt: 0,
        watch(model, ids, reload) {
            expect.step(`watch ${model}`);
            heard = reload;
            return () => {};
        },
    });
    onRpc("nameko.overview", "read_overview", () => {
        expect.step("read");
        return answers.length > 1 ? answers.shift() : answers[0];
    });
    await mountWithCleanup(WebClient);
    const tag = "nameko_connector.overview";
    await getService("action").doAction({ type: "ir.actions.client", tag });
    return () => heard();
}

test("times are written with two digits", async () => {
    await makeMockEnv();
    const texts = [0.0004, 0.04, 1.23, 42, 84, 3 * 3600, 90_000].map((s) => `${formatSeconds(s)}`);
    expect(texts).toEqual(["0 ms", "40 ms", "1.2 s", "42 s", "1.4 min", "3.0 h", "1.0 days"]);
});

test("a light says in words what is wrong, and what to do", async () => {
    await show([overview()]);
    expect("[data-light=relay]").toHaveText(/Relays: none running\s+Start one/);
    expect("[data-light=relay] [role=img]").toHaveAttribute("aria-label", "Problem");
    expect(".o_nameko_nothing").toHaveCount(1);
    expect.verifySteps(["read", "watch nameko.job.count"]);
});

test("many changes are read once in three seconds", async () => {
    const total = { ...NOTHING, ...TIMES, waiting: 4312, rate: 60, left: 240, oldest: 42 };
    const hear = await show([overview({ total: { ...total, waiting: 1 } }), overview({ total })]);
    await waitFor("canvas"); // Chart.js is there
    expect.verifySteps(["read", "watch nameko.job.count"]);
    hear();
    await animationFrame();
    expect("[data-tile=waiting]").toHaveText(/4,312/);
    expect("[data-tile=oldest]").toHaveText(/42 s/);
    hear();
    hear();
    expect.verifySteps(["read"]);
    await advanceTime(3000);
    expect.verifySteps(["read"]);
    await advanceTime(60_000);
    expect.verifySteps([]);
});

test("a page that hears nothing of a relay looks once, and says so", async () => {
    await show([overview()]);
    expect.verifySteps(["read", "watch nameko.job.count"]);
    await advanceTime(140_000);
    expect(".o_nameko_old").toHaveCount(0);
    expect.verifySteps([]);
    await advanceTime(20_000);
    expect(".o_nameko_old").toHaveCount(1);
    expect.verifySteps(["read"]);
    await advanceTime(600_000);
    expect.verifySteps([]);
});

test("a group of failures is retried as a whole", async () => {
    onRpc("nameko.failure", "action_retry", ({ args }) => {
        expect.step(`retry ${args[0]}`);
        return false;
    });
    await show([overview({ failures: [FAILURE] }), overview()]);
    expect(".o_nameko_failures li").toHaveText(/no stock for product …/);
    await contains("button:contains(Retry All)").click();
    expect(".o_nameko_failures li").toHaveCount(0);
    expect.verifySteps(["read", "watch nameko.job.count", "retry 7", "read"]);
});
