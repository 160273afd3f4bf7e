/* Figures: read from a page of metrics, and written short. */

/* The samples without labels of a page in the Prometheus text format. */
export function parseMetrics(text) {
    const figures = new Map();
    for (const line of text.split("\n")) {
        const match = /^([a-z_]+) (\S+)$/.exec(line);
        if (match !== null) {
            figures.set(match[1], Number(match[2]));
        }
    }
    return figures;
}

/* By how much a counter grew each second between two samples; NaN where it began anew. */
export function rate(before, after, seconds) {
    const grown = after - before;
    return seconds > 0 && grown >= 0 ? grown / seconds : NaN;
}

export function formatBytes(bytes) {
    const units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let at = 0;
    let value = bytes;
    while (value >= 1024 && at < units.length - 1) {
        value /= 1024;
        at++;
    }
    return `${at === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[at]}`;
}

export function formatCount(value) {
    if (value >= 10000) {
        return `${(value / 1000).toFixed(value >= 100000 ? 0 : 1)}k`;
    }
    return value >= 10 || Number.isInteger(value) ? String(Math.round(value)) : value.toFixed(1);
}
