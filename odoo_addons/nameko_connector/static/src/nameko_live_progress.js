import { onMounted, onWillUnmount } from "@odoo/owl";
import { ConnectionLostError } from "@web/core/network/rpc";
import { registry } from "@web/core/registry";
import {
    ProgressBarField,
    progressBarField,
} from "@web/views/fields/progress_bar/progress_bar_field";

const SECOND = 1000;

/** A progress bar that loads the record again every second, for as long as it is shown. */
export class NamekoLiveProgressField extends ProgressBarField {
    setup() {
        super.setup();
        onMounted(() => (this.timer = setInterval(() => this.reload(), SECOND)));
        onWillUnmount(() => clearInterval(this.timer));
    }

    /** Load the record, unless somebody is typing in it. The first error ends it: it is shown once. */
    async reload() {
        const record = this.props.record;
        if (this.isReloading || !record.resId || (await record.isDirty())) {
            return;
        }
        this.isReloading = true;
        try {
            await record.load();
        } catch (error) {
            if (!(error instanceof ConnectionLostError)) {
                clearInterval(this.timer);
            }
            throw error;
        } finally {
            this.isReloading = false;
        }
    }
}

registry.category("fields").add("nameko_live_progress", {
    ...progressBarField,
    component: NamekoLiveProgressField,
});
