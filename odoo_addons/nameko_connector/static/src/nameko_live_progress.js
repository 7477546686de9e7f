import { onMounted, onWillUnmount } from "@odoo/owl";
import { registry } from "@web/core/registry";
import {
    ProgressBarField,
    progressBarField,
} from "@web/views/fields/progress_bar/progress_bar_field";

const SECOND = 1000;

/** A progress bar that looks at the record again every second, for as long as it is shown. */
export class NamekoLiveProgressField extends ProgressBarField {
    setup() {
        super.setup();
        let timer;
        onMounted(() => (timer = setInterval(() => this.lookAgain(), SECOND)));
        onWillUnmount(() => clearInterval(timer));
    }

    /** Nothing that somebody is typing is lost for it. */
    async lookAgain() {
        const record = this.props.record;
        if (record.resId && !(await record.isDirty())) {
            await record.load();
        }
    }
}

registry.category("fields").add("nameko_live_progress", {
    ...progressBarField,
    component: NamekoLiveProgressField,
});
