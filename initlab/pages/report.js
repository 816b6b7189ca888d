"use strict";
// Draws each chart of the page over its picture, and adds the reader's choices. The specifications come from
// charts.py; all that this script adds to them is a width, an axis, and the colours of a dark page.
(() => {
  const charts = JSON.parse(document.getElementById("charts").textContent);
  const dark = matchMedia("(prefers-color-scheme: dark)");

  function element(name, properties, ...children) {
    const node = Object.assign(document.createElement(name), properties);
    node.append(...children);
    return node;
  }

  function short(value) {
    return value === null ? "-" : String(Number(value.toPrecision(4)));
  }

  // The same rows as `curve_rows` in charts.py.
  function rowsOf(view, isLog) {
    const rows = [];
    for (const curve of view.curves) {
      const every = Math.max(1, Math.floor(curve.step.length / 12));
      curve.step.forEach((step, i) => {
        const mean = curve.mean[i];
        if (mean === null || (isLog && mean <= 0)) return;
        const low = isLog && curve.low[i] <= 0 ? mean : curve.low[i];
        const marked = i % every === Math.floor(every / 2);
        rows.push({ c: curve.c, step, mean, low, high: curve.high[i], marked });
      });
    }
    return rows;
  }

  function colours() {
    const ink = dark.matches ? "#eaeaea" : "#1b1b1b";
    const line = dark.matches ? "#3b3f45" : "#dddddd";
    const axis = { labelColor: ink, titleColor: ink, gridColor: line, domainColor: line, tickColor: line };
    return { background: "transparent", axis: { ...axis, labelFontSize: 12, titleFontSize: 12, titleFontWeight: "normal" },
      view: { stroke: line }, text: { color: ink } };
  }

  // On a dark page, black curves are white.
  function adapted(spec) {
    return JSON.parse(JSON.stringify(spec), (key, value) => dark.matches && value === "#000000" ? "#ffffff" : value);
  }

  // The frame of a chart has its name, the tables its numbers: a screen reader needs no word for each mark.
  async function embed(plot, spec) {
    const options = { mode: "vega-lite", ast: true, actions: false, defaultStyle: false, renderer: "svg",
      config: colours(), tooltip: { disableDefaultStyle: true } };
    const result = await vegaEmbed(plot, spec, options);
    plot.querySelector("svg").ariaHidden = true;
    return result;
  }

  function widthOf(figure) {
    return Math.max(220, Math.min(960, figure.clientWidth)) - 16;
  }

  class Drawn {
    constructor(figure, chart) {
      this.figure = figure;
      this.chart = chart;
      this.plot = figure.querySelector(".plot");
      this.drawing = Promise.resolve();
    }

    // One drawing after the other, so that the last one stands.
    draw() {
      this.drawing = this.drawing.then(async () => {
        if (this.result) this.result.finalize();
        this.result = await embed(this.plot, this.spec());
      });
      return this.drawing;
    }
  }

  class Curves extends Drawn {
    constructor(figure, chart) {
      super(figure, chart);
      this.reading = figure.querySelector(".reading");
      this.boxes = [...figure.querySelectorAll(".legend input")];
      this.view = chart.views[0];
      this.isLog = this.view.log;
      this.from = this.to = null;
      this.cursor = null;
      this.makeTools();
      figure.querySelector(".legend").addEventListener("change", () => this.applyHidden());
      this.plot.addEventListener("keydown", (event) => this.key(event));
      this.plot.addEventListener("pointermove", (event) => this.point(event));
    }

    makeTools() {
      const tools = this.figure.querySelector(".tools");
      if (this.chart.views.length > 1) {
        const options = this.chart.views.map((view, i) => element("option", { value: i, textContent: view.name }));
        const select = element("select", {}, ...options);
        select.addEventListener("change", () => this.choose(this.chart.views[select.value]));
        tools.append(element("label", {}, "Quantity ", select));
      }
      this.logBox = element("input", { type: "checkbox", checked: this.isLog });
      this.logBox.addEventListener("change", () => { this.isLog = this.logBox.checked; this.draw(); });
      tools.append(element("label", {}, this.logBox, " logarithmic axis"));
      for (const [name, words] of [["from", "steps from "], ["to", "to "]]) {
        const input = element("input", { type: "number", min: 0, placeholder: name === "from" ? "first" : "last" });
        input.addEventListener("change", () => { this[name] = input.value === "" ? null : Number(input.value); this.draw(); });
        tools.append(element("label", {}, words, input));
      }
      tools.append(this.button("all", true), this.button("none", false));
    }

    button(words, checked) {
      const button = element("button", { type: "button", textContent: `Show ${words}` });
      button.addEventListener("click", () => { this.boxes.forEach((box) => { box.checked = checked; }); this.applyHidden(); });
      return button;
    }

    choose(view) {
      this.view = view;
      this.isLog = this.logBox.checked = view.log;
      this.cursor = null;
      this.draw();
    }

    hidden() {
      return this.boxes.filter((box) => !box.checked).map((box) => Number(box.value));
    }

    applyHidden() {
      this.cursor = null;
      this.result.view.data("cursor", []).signal("hidden", this.hidden()).runAsync();
    }

    spec() {
      const spec = adapted(this.chart.spec);
      const view = this.view;
      const rows = rowsOf(view, this.isLog);
      const y = { type: this.isLog ? "log" : "linear", domain: this.span(rows), nice: this.isLog || view.top === null };
      const last = Math.max(...view.curves.map((curve) => curve.step[curve.step.length - 1]), ...view.marks.map((mark) => mark.step), 1);
      const x = { nice: false, domain: [this.from ?? 0, Math.max(this.to ?? last, (this.from ?? 0) + 1)] };
      const visit = (layer) => {
        (layer.layer ?? []).forEach(visit);
        const encoding = layer.encoding ?? {};
        if (encoding.x) encoding.x.scale = x;
        if (encoding.y && encoding.y.field) Object.assign(encoding.y, { scale: y, title: view.name });
      };
      visit(spec);
      spec.autosize = { type: "fit", contains: "padding" };
      spec.width = widthOf(this.figure);
      spec.height = Math.max(240, Math.min(420, 0.55 * spec.width));
      spec.params[0].value = this.hidden();
      spec.datasets = { curves: rows, marks: view.marks, cursor: [] };
      return spec;
    }

    // Of the vertical axis: all curves, or, on a linear axis of losses, nearly all; see `axis_top` in loss.py.
    span(rows) {
      if (!rows.length) return [1, 2];
      if (!this.isLog && this.view.top !== null) return [0, this.view.top];
      const bands = this.chart.labels.length <= this.chart.most_bands;
      const low = rows.reduce((least, row) => Math.min(least, bands ? row.low : row.mean), Infinity);
      const high = rows.reduce((most, row) => Math.max(most, bands ? row.high : row.mean), -Infinity);
      return low < high ? [low, high] : this.isLog ? [low / 2, 2 * low] : [low - 1, low + 1];
    }


    shown() {
      const hidden = new Set(this.hidden());
      return this.view.curves.filter((curve) => !hidden.has(curve.c));
    }

    // The nearest point of a shown curve.
    point(event) {
      const svg = this.plot.querySelector("svg");
      if (!this.result || !svg) return;
      const box = svg.getBoundingClientRect();
      const view = this.result.view;
      const [left, top] = view.origin();
      const step = view.scale("x").invert(event.clientX - box.left - left);
      const y = view.scale("y");
      let best = null;
      for (const curve of this.shown()) {
        const i = nearest(curve.step, step);
        const distance = Math.abs(y(curve.mean[i]) - (event.clientY - box.top - top));
        if (best === null || distance < best.distance) best = { curve, i, distance };
      }
      if (best) this.read(best.curve, best.i);
    }

    key(event) {
      const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
      const curves = this.shown();
      if (!moves[event.key] || !curves.length || event.altKey || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      const [along, across] = moves[event.key];
      const place = this.cursor ? curves.indexOf(this.cursor.curve) : -1;
      const curve = curves[place < 0 ? 0 : (place + across + curves.length) % curves.length];
      const jump = event.shiftKey ? 10 * along : along;
      const i = this.cursor ? Math.min(curve.step.length - 1, Math.max(0, this.cursor.i + jump)) : 0;
      this.read(curve, i);
    }

    read(curve, i) {
      if (this.cursor && this.cursor.curve === curve && this.cursor.i === i) return;
      this.cursor = { curve, i };
      const range = curve.low[i] === curve.high[i] ? "" : `, over seeds ${short(curve.low[i])} to ${short(curve.high[i])}`;
      this.reading.textContent = `${this.chart.labels[curve.c]}, step ${short(curve.step[i])}: ${short(curve.mean[i])}${range}`;
      const row = { c: curve.c, step: curve.step[i], mean: curve.mean[i] };
      this.result.view.data("cursor", row.mean === null ? [] : [row]).runAsync();
    }
  }

  function nearest(steps, step) {
    let low = 0;
    let high = steps.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (steps[middle] < step) low = middle + 1;
      else high = middle;
    }
    return low > 0 && step - steps[low - 1] < steps[low] - step ? low - 1 : low;
  }

  class Intervals extends Drawn {
    spec() {
      const spec = adapted(this.chart.spec);
      spec.autosize = { type: "fit", contains: "padding" };
      spec.width = widthOf(this.figure);
      spec.datasets = { rows: this.chart.rows };
      return spec;
    }
  }

  const figures = [...document.querySelectorAll("[data-chart]")].map((figure) => {
    const chart = charts[Number(figure.dataset.chart)];
    return chart.kind === "curves" ? new Curves(figure, chart) : new Intervals(figure, chart);
  });

  // The picture stands until the chart is there.
  async function drawFirst(chart) {
    await chart.draw();
    chart.figure.querySelectorAll("[hidden]").forEach((node) => { node.hidden = false; });
    chart.figure.classList.add("drawn");
  }

  const drawAgain = () => figures.forEach((chart) => { if (chart.result) chart.draw(); });
  dark.addEventListener("change", drawAgain);
  let width = innerWidth;
  let later;
  addEventListener("resize", () => {
    if (innerWidth === width) return;
    width = innerWidth;
    clearTimeout(later);
    later = setTimeout(drawAgain, 150);
  });
  // Charts are drawn as they come near, once the page with its pictures is shown.
  const near = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      near.unobserve(entry.target);
      setTimeout(() => drawFirst(figures[Number(entry.target.dataset.chart)]));
    }
  }, { rootMargin: "800px" });
  figures.forEach((chart) => near.observe(chart.figure));
})();
