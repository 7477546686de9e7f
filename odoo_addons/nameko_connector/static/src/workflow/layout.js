export const WIDTH = 190; // px of a job
export const HEIGHT = 56;
const GAP = { x: 50, y: 12 };

/**
 * Place jobs in columns: each to the right of all that it waits for.
 *
 * @param {number[]} ids
 * @param {[number, number][]} links the earlier job first; without cycles
 * @returns {{places: Map<number, {x: number, y: number}>, width: number, height: number}} in px
 */
export function layOut(ids, links) {
    const column = columnsOf(ids, links);
    const rows = [];
    const places = new Map();
    for (const id of ids) {
        const x = column.get(id);
        const y = rows[x] || 0;
        rows[x] = y + 1;
        places.set(id, { x: x * (WIDTH + GAP.x), y: y * (HEIGHT + GAP.y) });
    }
    return {
        places,
        width: rows.length * (WIDTH + GAP.x) - GAP.x,
        height: Math.max(...rows) * (HEIGHT + GAP.y) - GAP.y,
    };
}

/** The length of the longest way to each job: at most as many rounds as there are jobs. */
function columnsOf(ids, links) {
    const column = new Map(ids.map((id) => [id, 0]));
    for (let round = 0, moved = true; moved && round < ids.length; round++) {
        moved = false;
        for (const [earlier, later] of links) {
            if (column.get(later) <= column.get(earlier)) {
                column.set(later, column.get(earlier) + 1);
                moved = true;
            }
        }
    }
    return column;
}

/** The curve from the right side of one job to the left side of the other, for an SVG path. */
export function curve(from, to) {
    const start = { x: from.x + WIDTH, y: from.y + HEIGHT / 2 };
    const end = { x: to.x, y: to.y + HEIGHT / 2 };
    const middle = (start.x + end.x) / 2;
    return `M ${start.x} ${start.y} C ${middle} ${start.y}, ${middle} ${end.y}, ${end.x} ${end.y}`;
}
