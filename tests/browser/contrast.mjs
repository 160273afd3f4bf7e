/*
 * Contrast as it is on the screen. Text is measured against the pixels that are behind it: the page is
 * photographed without its text, so gradients, pictures and what lies over what all count. What is
 * drawn (marks, lines, borders) is measured against the ground that it stands on.
 */

/* A twentieth of what is behind a text may be worse: a thin line that crosses it. */
const LEFT_OUT = 0.05;

/* Runs in the page: every text that is shown, with its colour, its places, and what it must reach. */
function collectTexts() {
    const parse = (colour) => {
        const [r, g, b, a = 1] = colour.match(/[\d.]+/g).map(Number);
        return colour.startsWith("color(srgb") ? [r * 255, g * 255, b * 255, a] : [r, g, b, a];
    };
    const opacity = (element) => (element === null ? 1 :
        Number(getComputedStyle(element).opacity) * opacity(element.parentElement));
    const isSkipped = (element) => !element.checkVisibility({visibilityProperty: true}) ||
        element.closest(".unseen, thead, :disabled, title, script, style, noscript, option") !== null &&
        !(element.closest("thead") !== null && getComputedStyle(element.closest("thead")).position === "static");
    const found = [];
    const add = (element, style, text, rects) => {
        const isLarge = parseFloat(style.fontSize) >= 24 ||
            (parseFloat(style.fontSize) >= 18.66 && Number(style.fontWeight) >= 700);
        const isDrawn = element instanceof SVGElement;
        const clipped = style.webkitTextFillColor === "rgba(0, 0, 0, 0)" || style.color === "rgba(0, 0, 0, 0)";
        const colours = clipped ? style.backgroundImage.match(/(rgba?|color)\([^)]*\)/g)
                                : [isDrawn ? style.fill : style.color];
        found.push({text: text.trim().slice(0, 40), isLarge, opacity: opacity(element),
                    colours: colours.map(parse),
                    rects: rects.map((r) => [r.left + scrollX, r.top + scrollY, r.width, r.height])});
    };
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node !== null; node = walker.nextNode()) {
        if (node.data.trim() !== "" && !isSkipped(node.parentElement)) {
            const range = document.createRange();
            range.selectNodeContents(node);
            add(node.parentElement, getComputedStyle(node.parentElement), node.data,
                [...range.getClientRects()]);
        }
    }
    for (const element of document.querySelectorAll("input, textarea, select")) {
        const text = element.value || element.placeholder || "";
        if (text !== "" && !isSkipped(element)) {
            const {left, top, width, height} = element.getBoundingClientRect(); // without its border
            add(element, getComputedStyle(element, element.value === "" ? "::placeholder" : null), text,
                [new DOMRect(left + 3, top + 3, width - 6, height - 6)]);
        }
    }
    for (const element of document.querySelectorAll("td")) {
        const style = getComputedStyle(element, "::before");
        if (style.content !== "none" && !isSkipped(element)) {
            add(element, style, `before: ${element.dataset.name}`, [element.getBoundingClientRect()]);
        }
    }
    return found;
}

/* Runs in the page: takes all text away, and leaves everything else where it is. */
function hideTexts() {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync("*, *::before, *::after, ::placeholder { color: transparent !important; " +
        "-webkit-text-fill-color: transparent !important; caret-color: transparent !important; " +
        "text-decoration-color: transparent !important; transition: none !important; } h1 a { background: none !important; } " +
        "svg text { fill: transparent !important; } .status::before { visibility: hidden; }");
    document.adoptedStyleSheets.push(sheet);
}

function showTexts() {
    document.adoptedStyleSheets.pop();
}

/* Runs in another page: the least contrast of each text in a photograph, 5 % of it left out. */
async function measure([photograph, texts, leftOut]) {
    const bytes = Uint8Array.from(atob(photograph), (c) => c.charCodeAt(0));
    const bitmap = await createImageBitmap(new Blob([bytes], {type: "image/png"}));
    const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
    const context = canvas.getContext("2d", {willReadFrequently: true});
    context.drawImage(bitmap, 0, 0);
    const linear = (value) => (value <= 10.31475 ? value / 3294.6 : ((value / 255 + 0.055) / 1.055) ** 2.4);
    const luminance = (r, g, b) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
    const ratio = ([r, g, b, a], opacity, pixels, i) => {
        const share = a * opacity;
        const over = (value, at) => value * share + pixels[i + at] * (1 - share);
        const one = luminance(over(r, 0), over(g, 1), over(b, 2));
        const two = luminance(pixels[i], pixels[i + 1], pixels[i + 2]);
        return (Math.max(one, two) + 0.05) / (Math.min(one, two) + 0.05);
    };
    return texts.map(({colours, opacity, rects}) => {
        const ratios = [];
        const known = new Map(); // grounds have few colours
        for (const [left, top, width, height] of rects) {
            const [x, y] = [Math.max(0, Math.floor(left)), Math.max(0, Math.floor(top))];
            const [w, h] = [Math.min(bitmap.width - x, Math.ceil(width)),
                            Math.min(bitmap.height - y, Math.ceil(height))];
            if (w > 0 && h > 0) {
                const pixels = context.getImageData(x, y, w, h).data;
                for (let i = 0; i < pixels.length; i += 4) {
                    const ground = (pixels[i] << 16) | (pixels[i + 1] << 8) | pixels[i + 2];
                    if (!known.has(ground)) {
                        known.set(ground, Math.min(...colours.map((colour) =>
                            ratio(colour, opacity, pixels, i))));
                    }
                    ratios.push(known.get(ground));
                }
            }
        }
        ratios.sort((one, two) => one - two);
        return ratios[Math.floor(ratios.length * leftOut)] ?? Infinity;
    });
}

/* The texts of a page that are harder to read than WCAG's AA allows, as lines; how many there are in
 * all. `helper` is any other page. */
export async function faintTexts(page, helper) {
    const texts = await page.evaluate(collectTexts);
    await page.evaluate(hideTexts);
    const photograph = (await page.screenshot({fullPage: true})).toString("base64");
    await page.evaluate(showTexts);
    const ratios = await helper.evaluate(measure, [photograph, texts, LEFT_OUT]);
    const faint = texts.map((text, i) => ({...text, ratio: ratios[i]}))
        .filter(({isLarge, ratio}) => ratio < (isLarge ? 3 : 4.5))
        .map(({text, ratio}) => `${ratio.toFixed(2)}: ${text}`);
    return {faint, count: texts.length};
}

/* Runs in the page: what is drawn, as [what, its colour, the ground it stands on]. */
function collectShapes() {
    const ground = (element) => {
        const colour = element === null ? "rgb(255, 255, 255)" : getComputedStyle(element).backgroundColor;
        return /, 0\)$/.test(colour) ? ground(element.parentElement) : colour;
    };
    const drawn = [["#picture .mark", ["stroke", "fill"]], ["#legend .mark", ["stroke", "fill"]],
                   [".link", ["stroke"]], [".pulse", ["fill"]], [".ring", ["stroke"]],
                   [".plot .line", ["stroke"]], [".plot .base", ["stroke"]], [".plot .head", ["stroke"]],
                   ["input, textarea, select, .composer > .field > button", ["borderTopColor"]]];
    return drawn.flatMap(([selector, properties]) => [...document.querySelectorAll(selector)].map((element) => {
        const style = getComputedStyle(element);
        const colour = properties.map((property) => style[property]).find((value) => value !== "none");
        return [`${element.getAttribute("class") ?? element.id}`, colour, ground(element.parentElement)];
    }));
}

function luminance(colour) {
    const [r, g, b] = colour.match(/[\d.]+/g).map(Number).map((value) =>
        (value <= 10.31475 ? value / 3294.6 : ((value / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

/* What is drawn and does not stand out by 3:1, as lines. */
export async function faintShapes(page) {
    const faint = (await page.evaluate(collectShapes)).map(([what, colour, ground]) => {
        const [one, two] = [luminance(colour), luminance(ground)].sort((x, y) => y - x);
        return [what, (one + 0.05) / (two + 0.05)];
    }).filter(([, ratio]) => ratio < 3).map(([what, ratio]) => `${ratio.toFixed(2)}: ${what}`);
    return [...new Set(faint)];
}
