import { _t } from "@web/core/l10n/translation";
import { registry } from "@web/core/registry";

const MOST_IDS = 1000;

/** One message for each server action, however many of its jobs fail: a later failure adds to it. */
export const namekoFailuresService = {
    dependencies: ["action", "bus_service", "notification"],

    start(env, { action, bus_service, notification }) {
        const shown = new Map();

        function show({ key, title, text, model, ids, count }) {
            const close = notification.add(
                count === 1 ? text : _t("%(count)s failed. The first: %(text)s", { count, text }),
                {
                    title,
                    type: "warning",
                    sticky: true,
                    onClose: () => shown.delete(key),
                    buttons: [
                        {
                            name: _t("Show"),
                            primary: true,
                            onClick: () => {
                                close();
                                open(title, model, ids);
                            },
                        },
                    ],
                }
            );
            shown.set(key, { text, ids, count, close });
        }

        function open(name, model, ids) {
            action.doAction({
                type: "ir.actions.act_window",
                name,
                res_model: model,
                domain: [["id", "in", ids]],
                views: [
                    [false, "list"],
                    [false, "form"],
                ],
            });
        }

        bus_service.subscribe("nameko_failures", (failures) => {
            const key = `${failures.action},${failures.model}`;
            const earlier = shown.get(key);
            earlier?.close();
            show({
                key,
                title: failures.title,
                model: failures.model,
                text: earlier?.text || failures.text,
                count: (earlier?.count || 0) + failures.count,
                ids: [...new Set([...(earlier?.ids || []), ...failures.ids])].slice(0, MOST_IDS),
            });
        });
        bus_service.start();
    },
};

registry.category("services").add("nameko_failures", namekoFailuresService);
