import { Component } from "@odoo/owl";
import { registry } from "@web/core/registry";
import { useService } from "@web/core/utils/hooks";
import { standardFieldProps } from "@web/views/fields/standard_field_props";
import { HEIGHT, WIDTH, curve, layOut } from "./layout";

const ICONS = {
    pending: "fa-clock-o text-muted",
    sent: "fa-play-circle text-info",
    done: "fa-check-circle text-success",
    failed: "fa-times-circle text-danger",
    cancelled: "fa-ban text-muted",
};

/** Draws which jobs wait for which; each job leads to its form. */
export class NamekoWorkflowField extends Component {
    static template = "nameko_connector.WorkflowField";
    static props = { ...standardFieldProps };

    setup() {
        this.action = useService("action");
    }

    get workflow() {
        return this.props.record.data[this.props.name];
    }

    get drawing() {
        const { jobs, links } = this.workflow;
        const ids = jobs.map((job) => job.id);
        const { places, width, height } = layOut(ids, links);
        return {
            width,
            height,
            curves: links.map(([from, to]) => ({
                key: `${from},${to}`,
                path: curve(places.get(from), places.get(to)),
            })),
            jobs: jobs.map((job) => ({
                ...job,
                icon: ICONS[job.state],
                isThis: this.props.record.resModel === "nameko.job" && job.id === this.ownId,
                style: this.style(places.get(job.id)),
            })),
        };
    }

    get ownId() {
        return this.props.record.resId;
    }

    style({ x, y }) {
        return `left: ${x}px; top: ${y}px; width: ${WIDTH}px; height: ${HEIGHT}px`;
    }

    open(id) {
        this.action.doAction({
            type: "ir.actions.act_window",
            res_model: "nameko.job",
            res_id: id,
            views: [[false, "form"]],
        });
    }
}

registry.category("fields").add("nameko_workflow", {
    component: NamekoWorkflowField,
    supportedTypes: ["json"],
});
