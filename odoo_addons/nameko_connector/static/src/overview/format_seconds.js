import { _t } from "@web/core/l10n/translation";
import { formatFloat } from "@web/views/fields/formatters";

const UNITS = [
    [86400, _t("%s days")],
    [3600, _t("%s h")],
    [60, _t("%s min")],
    [1, _t("%s s")],
];

/** Write a time in seconds with two digits, as "40 ms", "1.2 s" or "4 min". */
export function formatSeconds(seconds) {
    for (const [size, text] of UNITS) {
        if (seconds >= size) {
            const value = seconds / size;
            const digits = [0, value < 10 ? 1 : 0];
            return text.toString().replace("%s", formatFloat(value, { digits }));
        }
    }
    return _t("%s ms", formatFloat(1000 * seconds, { digits: [0, 0] }));
}
