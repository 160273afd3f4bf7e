/*
 * Small plots of figures over the last minutes. They have a time axis and a baseline before there is
 * a figure, and show one minute at first and more as there is more to show: a line that begins in a
 * corner of five empty minutes looks like a fault.
 */
import {element} from "./board.js";
import {shape} from "./picture.js";

const MINUTE_MS = 60000;
/* Minutes that a plot shows: the fewest that hold all there is. */
const WINDOWS = [1, 2, 3, 5];
/* Two figures further apart than this have no line between them: nobody asked meanwhile. */
const GAP_MS = 7000;
const WIDTH = 240;
const HEIGHT = 56;
/* The line stays this far from the edges of its box, which would cut it in half. */
const EDGE = 3;

/* How long a time the plot shows, when the first figure is so old. */
export function plotSpan(age_ms) {
    return MINUTE_MS * (WINDOWS.find((minutes) => minutes * MINUTE_MS >= age_ms) ?? WINDOWS.at(-1));
}

/*
 * The paths of a plot: `line` with gaps where figures are missing, and the `area` below it. `samples`
 * are {at, value} with the oldest first; `now` is at the right edge, 0 at the bottom, `top` at the
 * top.
 */
export function plotPaths(samples, {now, span_ms, top}) {
    const floor = HEIGHT - EDGE;
    let line = "";
    let area = "";
    let last = null; // the sample before, if the line goes on from it
    let x = 0;
    for (const sample of samples) {
        if (!Number.isFinite(sample.value)) {
            area += last === null ? "" : `L${x} ${floor}Z`;
            last = null;
            continue;
        }
        const goesOn = last !== null && sample.at - last.at <= GAP_MS;
        area += last !== null && !goesOn ? `L${x} ${floor}Z` : "";
        x = (WIDTH * (1 - (now - sample.at) / span_ms)).toFixed(1);
        const y = (floor - (sample.value / top) * (floor - EDGE)).toFixed(1);
        line += `${goesOn ? "L" : "M"}${x} ${y}`;
        area += goesOn ? `L${x} ${y}` : `M${x} ${floor}L${x} ${y}`;
        last = sample;
    }
    area += last === null ? "" : `L${x} ${floor}Z`;
    return {line, area};
}

/* A name, the last figure, its line, and when and how much that was. */
export class Plot {
    #samples = [];
    #format;
    #figure = element("span", "figure", "…");
    #begin = element("span");
    #peak = element("span");
    #shapes = {ticks: shape("path", {class: "ticks"}), area: shape("path", {class: "area"}),
               before: shape("path", {class: "before"}), base: shape("path", {class: "base"}),
               line: shape("path", {class: "line"}), head: shape("path", {class: "head"})};

    constructor(place, name, format) {
        this.#format = format;
        const head = element("figcaption");
        head.append(element("span", "", name), this.#figure);
        const drawing = shape("svg", {viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none",
                                      "aria-hidden": "true"});
        drawing.append(...Object.values(this.#shapes));
        const axis = element("div", "axis");
        axis.append(this.#begin, this.#peak, element("span", "", "now"));
        const box = element("figure", "plot");
        box.append(head, drawing, axis);
        place.append(box);
        this.#draw(0);
    }

    /* The figure at a time; NaN where there is none. */
    add(value, at) {
        this.#samples.push({value, at});
        while (this.#samples[0].at < at - WINDOWS.at(-1) * MINUTE_MS) {
            this.#samples.shift();
        }
        this.#figure.textContent = Number.isFinite(value) ? this.#format(value) : "…";
        this.#draw(at);
    }

    #draw(now) {
        const {ticks, area, before, base, line, head} = this.#shapes;
        const known = this.#samples.filter(({value}) => Number.isFinite(value));
        const peak = Math.max(0, ...known.map(({value}) => value));
        const age_ms = this.#samples.length > 0 ? now - this.#samples[0].at : 0;
        const span_ms = plotSpan(age_ms);
        const paths = plotPaths(this.#samples, {now, span_ms, top: peak > 0 ? peak : 1});
        const floor = HEIGHT - EDGE;
        const opened = (WIDTH * (1 - age_ms / span_ms)).toFixed(1);
        const step = span_ms === MINUTE_MS ? MINUTE_MS / 6 : MINUTE_MS / 2;
        const marks = Array.from({length: Math.round(span_ms / step) + 1},
                                 (_, i) => (WIDTH * i * step) / span_ms);
        ticks.setAttribute("d", marks.map((x) => `M${x.toFixed(1)} ${floor}v${-floor + EDGE}`).join(""));
        before.setAttribute("d", `M0 ${floor}H${opened}`);
        base.setAttribute("d", `M${opened} ${floor}H${WIDTH}`);
        line.setAttribute("d", paths.line);
        area.setAttribute("d", paths.area);
        const end = Number.isFinite(this.#samples.at(-1)?.value) ? /[\d.]+ [\d.]+$/.exec(paths.line) : null;
        head.setAttribute("d", end === null ? "" : `M${end[0]}h0`);
        this.#begin.textContent = `−${span_ms / MINUTE_MS} min`;
        this.#peak.textContent = known.length > 0 ? `max ${this.#format(peak)}` : "";
    }
}
