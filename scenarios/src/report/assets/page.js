"use strict";
// Draws the charts when they come into view, in the colours of the page, and lists its sections.
(() => {
  // Lists of rows name their columns once.
  const rows = (columns, list) => list.map((row) => Object.fromEntries(columns.map((name, index) => [name, row[index]])));
  const charts = JSON.parse(document.getElementById("charts").textContent,
    (_, value) => Array.isArray(value?.columns) && Array.isArray(value.rows) ? rows(value.columns, value.rows) : value);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const views = new Map();

  // After Okabe and Ito's colours, which the colour-blind tell apart, on a light and on a dark ground; then some for what has more parts.
  const light = ["#0072b2", "#d55e00", "#009e73", "#b3539b", "#4a3c00", "#2f9bd6", "#6b6b6b", "#b8860b", "#5050c0", "#a33a52", "#4f7a28", "#1f7a7a"];
  const bright = ["#56b4e9", "#f08a3c", "#2fc69a", "#e094c8", "#f0e442", "#4a7de8", "#b8b8b8", "#d9a066", "#a9a9ff", "#ff9db0", "#a9d18e", "#7fd6d6"];

  function config(columns) {
    const style = getComputedStyle(document.documentElement);
    const [ink, soft, edge, low, high] = ["ink", "soft", "edge", "low", "high"].map((it) => style.getPropertyValue("--" + it).trim());
    const colours = dark.matches ? bright : light;
    return {
      aria: false,
      background: "transparent",
      padding: { left: 5, top: 5, right: 16, bottom: 5 },
      font: "system-ui, sans-serif",
      mark: { color: colours[0], tooltip: false },
      rule: { color: soft }, tick: { color: colours[1] },
      text: { color: ink, fontSize: 11.5 },
      view: { stroke: null },
      axis: { labelColor: soft, titleColor: ink, gridColor: edge, domainColor: soft, tickColor: soft, labelFontSize: 11.5, titleFontSize: 12, titleFontWeight: 500, labelOverlap: true, labelSeparation: 4, labelFlush: false },
      legend: { labelColor: ink, titleColor: ink, orient: "bottom", labelFontSize: 12, titleFontSize: 12, titleFontWeight: 500, symbolStrokeWidth: 2, labelLimit: 220, columns },
      range: {
        category: colours, ramp: [low, high], heatmap: [low, high],
        symbol: ["circle", "square", "triangle-up", "diamond", "cross", "triangle-down", "triangle-right", "stroke"],
      },
      style: { "in-cell": { fill: ink, fontSize: 11.5 } },
    };
  }

  function draw(box) {
    const variants = charts[box.dataset.chart];
    const width = box.clientWidth;
    // On a phone names leave room for what they name and long ones have two lines, headings stand steeply, and a legend has as many
    // columns as its longest name allows.
    let longest = 9;
    const spec = JSON.parse(JSON.stringify(variants[Number(box.dataset.variant || 0)].spec), (key, value) => {
      if (key === "domain" && typeof value[0] === "string") longest = Math.max(...value.map((it) => it.length));
      if (key === "labelAngle" && width < 500) return value && -75;
      if (key === "axis" && width < 500 && value?.labelLimit && !("labelAngle" in value)) {
        Object.assign(value, { labelFontSize: 10.5, labelLineHeight: 11, labelExpr: "split(replace(datum.label, /^(.{6,15}[-:_. ])(.{3,})$/, '$1\\n$2'), '\\n')" });
      }
      return key === "labelLimit" ? Math.min(value, width * 0.36) : value;
    });
    // Numbers that are wider than their cells stand in the table only.
    if (width * 0.6 < 46 * spec.usermeta?.columns) spec.layer = spec.layer.filter((layer) => layer.mark?.style !== "in-cell");
    views.get(box)?.finalize();
    // Legends begin below the axis; one beside another has no room on a phone.
    const columns = Math.max(1, Math.floor(0.74 * width / (40 + 7 * Math.min(longest, 30))));
    const settings = config(columns);
    if (width < 500) settings.legend.layout = { bottom: { direction: "vertical", anchor: "start", margin: 4 } };
    const compiled = vegaLite.compile(spec, { config: settings }).spec;
    const view = new vega.View(vega.parse(compiled), { renderer: "svg", container: box, hover: true });
    views.set(box, view);
    return view.runAsync().then(() => {
      // The box says in words what is in it.
      box.setAttribute("role", "img");
      box.removeAttribute("aria-roledescription");
      box.querySelector("svg")?.setAttribute("aria-hidden", "true");
      box.dataset.drawn = box.dataset.variant || "0";
    });
  }

  const boxes = [...document.querySelectorAll("[data-chart]")];
  const seen = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) {
      if (isIntersecting) { seen.unobserve(target); draw(target); }
    }
  }, { rootMargin: "600px" });
  boxes.forEach((box) => seen.observe(box));
  addEventListener("beforeprint", () => boxes.filter((box) => !views.has(box)).forEach(draw));
  dark.addEventListener("change", () => [...views.keys()].forEach(draw));

  for (const select of document.querySelectorAll("[data-picks]")) {
    const box = document.querySelector(`[data-chart="${select.dataset.picks}"]`);
    select.addEventListener("change", () => { box.dataset.variant = select.value; draw(box); });
  }

  // A table that goes on to the right says so.
  const mark = (box) => box.classList.toggle("goes-on", box.scrollLeft + box.clientWidth < box.scrollWidth - 1);
  const resized = new ResizeObserver((entries) => entries.forEach(({ target }) => mark(target)));
  for (const box of document.querySelectorAll(".wide")) {
    resized.observe(box);
    box.addEventListener("scroll", () => mark(box), { passive: true });
  }

  const ways = document.getElementById("ways");
  for (const section of document.querySelectorAll("main section[id]")) {
    const link = document.createElement("a");
    link.href = "#" + section.id;
    link.textContent = section.querySelector("h2").textContent;
    const item = document.createElement("li");
    item.append(link);
    ways.append(item);
  }
})();
