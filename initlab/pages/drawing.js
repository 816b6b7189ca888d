"use strict";
// Small charts as SVG: `chart(...)` makes one with its axes, to which marks are added in the chart's own units.
const drawing = (() => {
  const space = "http://www.w3.org/2000/svg";

  function svg(name, attributes, ...children) {
    const node = document.createElementNS(space, name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    node.append(...children);
    return node;
  }

  // A number to three digits, as the page keeps it.
  function short(value) {
    if (value === null) return "-";
    const size = Math.abs(value);
    return size !== 0 && (size < 1e-3 || size >= 1e4) ? value.toExponential(2).replace(/\.?0+e/, "e").replace("e+", "e") : String(Number(value.toPrecision(3)));
  }

  function linear(domain, range) {
    const slope = (range[1] - range[0]) / (domain[1] - domain[0]);
    return (value) => range[0] + (Math.min(Math.max(value, domain[0]), domain[1]) - domain[0]) * slope;
  }

  function logarithmic(domain, range) {
    const scale = linear(domain.map(Math.log10), range);
    return (value) => scale(Math.log10(Math.max(value, 1e-300)));
  }

  // Powers of ten within a domain, at most six of them.
  function powers([low, high]) {
    const first = Math.ceil(Math.log10(low) - 1e-9);
    const last = Math.floor(Math.log10(high) + 1e-9);
    const step = Math.max(1, Math.ceil((last - first) / 5));
    const ticks = [];
    for (let power = Math.ceil(first / step) * step; power <= last; power += step) ticks.push(10 ** power);
    return ticks;
  }

  function powerText(value) {
    const power = Math.round(Math.log10(value));
    return Math.abs(power) <= 2 ? String(Number(value.toPrecision(3))) : `1e${power}`;
  }

  // A figure's SVG with two axes; `x` and `y` have domain, ticks, title, log, text.
  function chart(title, width, height, x, y) {
    const [left, right, top, bottom] = [46, width - 16, 30, height - 40];
    const at = {
      x: (x.log ? logarithmic : linear)(x.domain, [left, right]),
      y: (y.log ? logarithmic : linear)(y.domain, [bottom, top]),
    };
    const root = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": title });
    const back = svg("g", {});
    const text = (content, attributes) => root.append(svg("text", attributes, content));
    root.append(back);
    for (const value of x.ticks) {
      root.append(svg("path", { class: "axis", d: `M${at.x(value)},${bottom}v4` }));
      text((x.text ?? String)(value), { x: at.x(value), y: bottom + 17, "text-anchor": "middle" });
    }
    for (const value of y.ticks) {
      root.append(svg("path", { class: "grid", d: `M${left},${at.y(value)}H${right}` }));
      text((y.text ?? String)(value), { x: left - 6, y: at.y(value) + 4, "text-anchor": "end" });
    }
    root.append(svg("path", { class: "axis", d: `M${left},${top}V${bottom}H${right}` }));
    text(x.title, { x: (left + right) / 2, y: height - 6, "text-anchor": "middle" });
    text(y.title, { x: 4, y: 14 });
    const marks = svg("g", {});
    root.append(marks);
    return { root, back, marks, at, left, right, top, bottom };
  }

  function path(points) {
    return points.map(([x, y], i) => `${i ? "L" : "M"}${x.toFixed(1)},${y.toFixed(1)}`).join("");
  }

  // Bars of measured shares, and predicted ones as an outline.
  function histogram(title, layer, tallest) {
    const [width, height] = [160, 70];
    const root = svg("svg", { viewBox: `0 0 ${width} ${height + 2}`, role: "img", "aria-label": title });
    const step = width / layer.shares.length;
    // The square root keeps the small bars beside a tall one in sight.
    const tall = (share) => height * Math.sqrt(share / tallest);
    const outline = (shares) => shares.map((share, i) => `${i ? "L" : "M"}${(i * step).toFixed(1)},${(height - tall(share)).toFixed(1)}h${step.toFixed(1)}`).join("");
    root.append(svg("path", { class: "bars", d: `${outline(layer.shares)}V${height}H0Z` }));
    if (layer.predicted) root.append(svg("path", { class: "theory", d: outline(layer.predicted) }));
    root.append(svg("path", { class: "axis", d: `M0,${height}H${width}` }));
    return root;
  }

  // The mark of a verdict, readable without colour: a disc, a ring, a cross.
  const verdicts = {
    "trains": { name: "trains", sign: "\u25cf" },
    "in doubt": { name: "doubt", sign: "\u25cb" },
    "does not train": { name: "fails", sign: "\u00d7" },
  };

  function mark(verdict, x, y) {
    const { name } = verdicts[verdict];
    if (name === "fails") return svg("path", { class: "mark fails", d: `M${x - 4},${y - 4}l8,8m0,-8l-8,8` });
    return svg("circle", { class: `mark ${name}`, cx: x, cy: y, r: 4.5 });
  }

  return { svg, short, chart, powers, powerText, path, histogram, mark, verdicts };
})();
