import { Component, useState } from "@odoo/owl";
import { registry } from "@web/core/registry";
import { standardFieldProps } from "@web/views/fields/standard_field_props";

const MOST_LINES = 12;
const MOST_CHARACTERS = 1000;

/** A text of which only the beginning is shown where it is long, until somebody asks for all. */
export class NamekoFoldedField extends Component {
    static template = "nameko_connector.FoldedField";
    static props = { ...standardFieldProps };

    setup() {
        this.state = useState({ isOpen: false });
    }

    get text() {
        return this.props.record.data[this.props.name] || "";
    }

    get beginning() {
        const lines = this.text.split("\n", MOST_LINES).join("\n");
        return lines.slice(0, MOST_CHARACTERS);
    }

    get shown() {
        return this.state.isOpen || !this.isLong ? this.text : `${this.beginning} …`;
    }

    get isLong() {
        return this.beginning.length < this.text.length;
    }
}

registry.category("fields").add("nameko_folded", {
    component: NamekoFoldedField,
    supportedTypes: ["text"],
});
