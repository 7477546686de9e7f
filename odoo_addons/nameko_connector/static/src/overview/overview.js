import { Component, onMounted, onWillDestroy, onWillStart, useState } from "@odoo/owl";
import { browser } from "@web/core/browser/browser";
import { deserializeDateTime } from "@web/core/l10n/dates";
import { _t } from "@web/core/l10n/translation";
import { ConnectionLostError } from "@web/core/network/rpc";
import { registry } from "@web/core/registry";
import { user } from "@web/core/user";
import { useService } from "@web/core/utils/hooks";
import { Layout } from "@web/search/layout";
import { standardActionServiceProps } from "@web/webclient/actions/action_service";
import { formatInteger } from "@web/views/fields/formatters";
import { OverviewChart } from "./overview_chart";
import { formatSeconds } from "./format_seconds";

const PAUSE = 3000; // ms between two reloads
const SILENT = 150_000; // ms without a sign of life from a relay
const LEVELS = {
    good: { icon: "fa-check-circle text-success", word: _t("Good") },
    warning: { icon: "fa-exclamation-triangle text-warning", word: _t("Warning") },
    bad: { icon: "fa-times-circle text-danger", word: _t("Problem") },
    off: { icon: "fa-circle-o text-muted", word: _t("Inactive or unknown") },
};
// Readable on white and on black.
const [GREEN, RED, ORANGE, BLUE] = ["#2e8540", "#d44c59", "#c77700", "#3b7dd8"];
const FILTERS = { waiting: "pending", running: "running", done: "done", failed: "failed" };

/** What runs, how fast, what fails: read again when the relay says that it has changed. */
export class NamekoOverview extends Component {
    static template = "nameko_connector.Overview";
    static components = { Layout, OverviewChart };
    static props = { ...standardActionServiceProps };

    setup() {
        this.action = useService("action");
        this.orm = useService("orm");
        this.state = useState({ data: null, isOld: false });
        this.loadedAt = 0;
        this.levels = LEVELS;
        this.integer = formatInteger;
        this.seconds = formatSeconds;
        this.jobsLabel = _t("Jobs that ended, by minute").toString();
        this.timesLabel = _t("How long jobs waited and ran, by minute").toString();
        this.isOver = this.isPausing = this.waits = false;
        const live = useService("nameko_live");
        onWillStart(() => this.load());
        const onceOver = [() => (this.isOver = true)];
        onMounted(() => {
            const stop = live.watch("nameko.job.count", [], () => this.reload());
            const timer = browser.setInterval(() => this.lookForNews(live), PAUSE);
            onceOver.push(stop, () => browser.clearInterval(timer));
        });
        onWillDestroy(() => onceOver.forEach((end) => end()));
    }

    async load() {
        const data = await this.orm.silent.call("nameko.overview", "read_overview", []);
        if (!this.isOver) {
            this.state.data = data;
            this.loadedAt = Date.now();
        }
    }

    async reload() {
        this.waits = true;
        if (this.isPausing) {
            return;
        }
        this.isPausing = true;
        try {
            while (this.waits && !this.isOver) {
                this.waits = false;
                await this.load();
                await new Promise((resolve) => browser.setTimeout(resolve, PAUSE));
            }
        } catch (error) {
            this.isOver ||= !(error instanceof ConnectionLostError); // it is shown once
            throw error;
        } finally {
            this.isPausing = false;
        }
    }

    /** A relay shows once a minute that it lives: where it does not, the lights say so. */
    lookForNews(live) {
        const heardAt = Math.max(live.heardAt, this.loadedAt);
        if (Date.now() - heardAt > SILENT && !this.state.isOld) {
            this.state.isOld = true;
            this.reload();
        } else if (live.heardAt > this.loadedAt) {
            this.state.isOld = false;
        }
    }

    get isEmpty() {
        const { total, services, failures } = this.state.data;
        const count = total.waiting + total.running + total.done + total.failed;
        return !count && !failures.length && !services.length;
    }

    get tiles() {
        const { total } = this.state.data;
        return [
            { key: "waiting", label: _t("Waiting"), value: total.waiting },
            { key: "running", label: _t("Running"), value: total.running },
            { key: "done", label: _t("Done, last hour"), value: total.done },
            { key: "failed", label: _t("Failed, last hour"), value: total.failed },
        ];
    }

    get minutes() {
        return this.state.data.minutes.map(({ minute }) => minute);
    }

    get jobSeries() {
        const of = (key) => this.state.data.minutes.map((each) => each[key]);
        return [
            { label: _t("Done"), values: of("done"), color: GREEN },
            { label: _t("Failed"), values: of("failed"), color: RED },
        ];
    }

    get timeSeries() {
        const of = (key, index) => this.state.data.minutes.map((each) => each[key][index]);
        return [
            { label: _t("Wait: half are shorter"), values: of("waited", 0), color: ORANGE },
            { label: _t("Wait: 95 % are shorter"), values: of("waited", 1), color: ORANGE, isDashed: true },
            { label: _t("Duration: half are shorter"), values: of("ran", 0), color: BLUE },
            { label: _t("Duration: 95 % are shorter"), values: of("ran", 1), color: BLUE, isDashed: true },
        ];
    }

    quantiles([half, most]) {
        return half === null ? "" : `${formatSeconds(half)} / ${formatSeconds(most)}`;
    }

    /** How fast it goes, and how long it still takes. */
    get pace() {
        const { rate, left, later } = this.state.data.total;
        return [
            _t("Now: %s jobs per minute", formatInteger(Math.round(rate))),
            left === false ? "" : _t("about %s left for jobs that can start now", formatSeconds(left)),
            later
                ? _t("%s scheduled for later or waiting for other jobs", formatInteger(later))
                : "",
        ]
            .filter(Boolean)
            .join(" · ");
    }

    howOften({ failed_count, first_at, last_at }) {
        const [first, last] = [first_at, last_at].map((text) => deserializeDateTime(text));
        const values = {
            count: formatInteger(failed_count),
            first: first.toRelative(),
            last: last.toRelative(),
        };
        return last.diff(first).as("minutes") > 1
            ? _t("Failed jobs: %(count)s · last: %(last)s · first: %(first)s", values)
            : _t("Failed jobs: %(count)s · last: %(last)s", values);
    }

    instances({ up, late, gone }) {
        return [
            up ? _t("%s up", up) : "",
            late ? _t("%s late", late) : "",
            gone ? _t("%s gone", gone) : "",
        ]
            .filter(Boolean)
            .join(", ");
    }

    async showJobs(kind, service) {
        const action = await this.action.loadAction("nameko_connector.nameko_job_action");
        const context = { [`search_default_${FILTERS[kind]}`]: 1 };
        if (["done", "failed"].includes(kind)) {
            context.search_default_last_hour = 1;
        }
        if (service) {
            context.search_default_service = service;
        }
        await this.action.doAction({ ...action, context });
    }

    showService(id) {
        this.action.doAction({
            type: "ir.actions.act_window",
            res_model: "nameko.service",
            res_id: id,
            views: [[false, "form"]],
        });
    }

    async onFailure(id, method) {
        const action = await this.orm.call("nameko.failure", method, [[id]]);
        if (action) {
            await this.action.doAction(action);
        }
        if (!this.isOver) {
            await this.reload(); // unless this page has been left, or shown anew
        }
    }

    get severalCompanies() {
        return user.allowedCompanies.length > 1;
    }

    showActions() {
        this.action.doAction("nameko_connector.nameko_action_action");
    }

    showFailures() {
        this.action.doAction("nameko_connector.nameko_failure_action");
    }
}

registry.category("actions").add("nameko_connector.overview", NamekoOverview);
