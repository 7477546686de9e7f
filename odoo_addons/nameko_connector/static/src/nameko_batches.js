import { Component, reactive, useState } from "@odoo/owl";
import { Dropdown } from "@web/core/dropdown/dropdown";
import { DropdownItem } from "@web/core/dropdown/dropdown_item";
import { _t } from "@web/core/l10n/translation";
import { registry } from "@web/core/registry";
import { useService } from "@web/core/utils/hooks";
import { session } from "@web/session";

/** The user's batches that run, kept up to date while there are some; one message when one ends. */
export const namekoBatchesService = {
    dependencies: ["action", "bus_service", "nameko_live", "notification", "orm"],

    start(env, { action, bus_service, nameko_live, notification, orm }) {
        const batches = reactive({ running: [] });
        let watched = "[]";
        let stopWatching = () => {};
        let isLoading = false;
        let waits = false;

        async function load() {
            waits = isLoading;
            if (isLoading) {
                return;
            }
            isLoading = true;
            try {
                batches.running = await orm.silent.call("nameko.batch", "my_running", []);
            } finally {
                isLoading = false;
            }
            watch(batches.running.map((batch) => batch.id));
            if (waits) {
                await load();
            }
        }

        function watch(ids) {
            if (JSON.stringify(ids) !== watched) {
                watched = JSON.stringify(ids);
                stopWatching();
                stopWatching = ids.length ? nameko_live.watch("nameko.batch", ids, load) : () => {};
            }
        }

        function showEnd({ name, done, failed, cancelled, first, model, domain }) {
            const counts = [
                done || !(failed + cancelled) ? _t("%s done", done) : "",
                cancelled ? _t("%s cancelled", cancelled) : "",
                failed ? _t("%(count)s failed. The first: %(text)s", { count: failed, text: first }) : "",
            ];
            const close = notification.add(counts.filter(Boolean).join(", "), {
                title: name,
                type: failed ? "warning" : "success",
                sticky: Boolean(failed),
                buttons: [
                    {
                        name: _t("Show"),
                        primary: true,
                        onClick: () => {
                            close();
                            const views = [
                                [false, "list"],
                                [false, "form"],
                            ];
                            const type = "ir.actions.act_window";
                            action.doAction({ type, name, res_model: model, domain, views });
                        },
                    },
                ],
            });
        }

        bus_service.subscribe("nameko_batch", (message) => {
            if (!message.begun) {
                showEnd(message);
            }
            if (message.begun || batches.running.some((batch) => batch.id === message.id)) {
                load();
            }
        });
        bus_service.start();
        if (session.nameko_has_batches) {
            load();
        }
        return batches;
    },
};

registry.category("services").add("nameko_batches", namekoBatchesService);

/** The menu of the user's running batches; without any it is not there. */
export class NamekoBatchMenu extends Component {
    static template = "nameko_connector.BatchMenu";
    static components = { Dropdown, DropdownItem };
    static props = {};

    setup() {
        this.action = useService("action");
        this.batches = useState(useService("nameko_batches"));
    }

    open(id) {
        this.action.doAction({
            type: "ir.actions.act_window",
            res_model: "nameko.batch",
            res_id: id,
            views: [[false, "form"]],
        });
    }

    openAll() {
        this.action.doAction("nameko_connector.nameko_batch_action");
    }

    ended(batch) {
        return batch.total - batch.left_count;
    }
}

registry
    .category("systray")
    .add("nameko_connector.batches", { Component: NamekoBatchMenu }, { sequence: 30 });
