/* global Chart */
import { Component, onWillStart, onWillUnmount, useEffect, useRef } from "@odoo/owl";
import { loadBundle } from "@web/core/assets";
import { deserializeDateTime } from "@web/core/l10n/dates";
import { formatSeconds } from "./format_seconds";

/**
 * The last hour, minute by minute: jobs as stacked bars, or times as lines on a logarithmic scale.
 *
 * series: {label, values, color, isDashed} of one value a minute
 */
export class OverviewChart extends Component {
    static template = "nameko_connector.OverviewChart";
    static props = {
        kind: { validate: (kind) => ["bar", "line"].includes(kind) },
        label: String,
        minutes: Array,
        series: Array,
    };

    setup() {
        this.canvas = useRef("canvas");
        this.chart = null;
        onWillStart(() => loadBundle("web.chartjs_lib"));
        useEffect(
            () => this.draw(),
            () => [JSON.stringify(this.props.series)]
        );
        onWillUnmount(() => this.chart?.destroy());
    }

    draw() {
        const data = { labels: this.labels(), datasets: this.props.series.map(this.dataset, this) };
        if (this.chart) {
            this.chart.data = data;
            this.chart.update("none");
        } else {
            this.chart = new Chart(this.canvas.el, {
                type: this.props.kind,
                data,
                options: this.options(),
            });
        }
    }

    labels() {
        return this.props.minutes.map((minute) => deserializeDateTime(minute).toFormat("HH:mm"));
    }

    dataset({ label, values, color, isDashed }) {
        return {
            label: label.toString(),
            data: values,
            backgroundColor: color,
            borderColor: color,
            borderDash: isDashed ? [4, 4] : [],
            borderWidth: this.props.kind === "line" ? 2 : 0,
            pointRadius: 2,
            spanGaps: true,
        };
    }

    options() {
        const isTimes = this.props.kind === "line";
        const time = (value) => formatSeconds(value).toString();
        return {
            animation: false,
            maintainAspectRatio: false,
            interaction: { mode: "index", intersect: false },
            plugins: {
                legend: { position: "bottom", labels: { boxWidth: 12 } },
                tooltip: isTimes
                    ? {
                          callbacks: {
                              label: ({ dataset, raw }) => `${dataset.label}: ${time(raw)}`,
                          },
                      }
                    : {},
            },
            scales: {
                x: {
                    stacked: !isTimes,
                    grid: { display: false },
                    ticks: { maxTicksLimit: 7, maxRotation: 0 },
                },
                y: isTimes
                    ? { type: "logarithmic", ticks: { callback: time, maxTicksLimit: 5 } }
                    : { stacked: true, beginAtZero: true, ticks: { precision: 0 } },
            },
        };
    }
}
