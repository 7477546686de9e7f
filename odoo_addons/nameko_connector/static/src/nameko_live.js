import { onWillUnmount, useEffect } from "@odoo/owl";
import { browser } from "@web/core/browser/browser";
import { ConnectionLostError } from "@web/core/network/rpc";
import { registry } from "@web/core/registry";
import { useService } from "@web/core/utils/hooks";
import { patch } from "@web/core/utils/patch";
import { FormController } from "@web/views/form/form_controller";
import { KanbanController } from "@web/views/kanban/kanban_controller";
import { ListController } from "@web/views/list/list_controller";
import { session } from "@web/session";

const KIND = "nameko_live"; // of the messages
const JUST = 5000; // ms: a view has read its records, and knows its channels, in this time
const PAUSE = 1000; // ms between two reloads of a view, at least
const LONGEST_PAUSE = 5000; // ms
const SHARE = 5; // how many times as long as a reload a pause is: a busy server has fewer of them

/** Hears over the bus which records have changed: see the model nameko.live. */
export const namekoLiveService = {
    dependencies: ["bus_service", "orm"],

    start(env, { bus_service, orm }) {
        const views = new Set();
        let heardAt = 0;

        bus_service.subscribe(KIND, ({ channels }) => {
            heardAt = Date.now();
            for (const view of views) {
                if (view.channels.some((channel) => channels.includes(channel))) {
                    view.reload();
                }
            }
        });
        bus_service.addEventListener("BUS:RECONNECT", () => views.forEach((view) => view.reload()));

        /**
         * Call `reload` when one of these records has changed, without ids: any of the model; and
         * once when the browser has begun to listen.
         */
        function watch(model, ids, reload) {
            const view = { channels: [], reload };
            const since = Date.now() - JUST;
            views.add(view);
            orm.silent.call("nameko.live", "watch", [model, ids]).then(
                (channels) => {
                    if (views.has(view)) {
                        view.channels = channels;
                        channels.forEach((channel) => bus_service.addChannel(channel));
                        if (heardAt >= since) {
                            reload(); // the browser listened for another view: it was perhaps for this
                        }
                    }
                },
                () => {} // without the right to read it there is nothing to hear
            );
            return () => {
                views.delete(view);
                view.channels.forEach((channel) => bus_service.deleteChannel(channel));
            };
        }

        return {
            watch,
            /** When the last message came, in ms since the epoch. */
            get heardAt() {
                return heardAt;
            },
        };
    },
};

registry.category("services").add("nameko_live", namekoLiveService);

/**
 * Reload a view when its records have changed; while somebody is at work in it, not before the end.
 *
 * getIds: the records that it shows, [] for any of the model, null for none
 * isBusy: whether something is being typed or selected
 * load: returns whether it has loaded
 */
function useLive(model, { getIds, isBusy, load }) {
    if (!session.nameko_live_models?.includes(model)) {
        return;
    }
    const live = useService("nameko_live");
    let waits = false;
    let isLoading = false;
    let isOver = false;
    const pause = (loaded) => {
        const wanted = Math.max(PAUSE, Math.min(SHARE * loaded, LONGEST_PAUSE));
        return new Promise((resolve) => browser.setTimeout(resolve, wanted));
    };

    async function reload() {
        waits = true;
        if (isLoading || isOver || isBusy()) {
            return;
        }
        isLoading = true;
        try {
            while (waits && !isOver && !isBusy()) {
                waits = false;
                const began = browser.performance.now();
                if (!(await load())) {
                    waits = true; // somebody is typing: afterwards
                    break;
                }
                await pause(browser.performance.now() - began);
            }
        } catch (error) {
            isOver = !(error instanceof ConnectionLostError); // it is shown once
            throw error;
        } finally {
            isLoading = false;
        }
    }

    useEffect(
        (ids) => (ids === "null" ? undefined : live.watch(model, JSON.parse(ids), reload)),
        () => [JSON.stringify(getIds())]
    );
    useEffect(
        (busy) => {
            if (!busy && waits) {
                reload();
            }
        },
        () => [isBusy()]
    );
    onWillUnmount(() => (isOver = true));
}

patch(FormController.prototype, {
    setup() {
        super.setup(...arguments);
        useLive(this.props.resModel, {
            getIds: () => (this.model.root.resId ? [this.model.root.resId] : null),
            isBusy: () => this.model.root.dirty,
            load: async () => {
                const isFree = !(await this.model.root.isDirty());
                if (isFree) {
                    await this.model.root.load();
                }
                return isFree;
            },
        });
    },
});

/** Reload a list or a kanban view when any record of its model has changed. */
function useLiveRecords(controller, isBusy) {
    const root = () => controller.model.root;
    useLive(controller.props.resModel, {
        getIds: () => [],
        isBusy: () => Boolean(root().selection?.length || isBusy()),
        load: async () => {
            const records = root().records;
            await root().load();
            await keepSelection(records, root());
            return true;
        },
    });
}

/** Select what somebody has selected among the `records` that a list showed while it was reloaded. */
async function keepSelection(records, list) {
    await list.model.mutex.getUnlockedDef(); // until the click has had its effect
    const selected = new Set(records.filter(({ selected }) => selected).map(({ resId }) => resId));
    for (const record of list.records) {
        if (selected.has(record.resId)) {
            record.toggleSelection(true);
        }
    }
}

patch(ListController.prototype, {
    setup() {
        super.setup(...arguments);
        useLiveRecords(this, () => this.model.root.editedRecord);
    },
});

patch(KanbanController.prototype, {
    setup() {
        super.setup(...arguments);
        useLiveRecords(this, () => this.quickCreateState.groupId);
    },
});
