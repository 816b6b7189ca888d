"use strict";
// Shows one point of the grid: the controls choose it, the address keeps it, and everything else follows from its
// numbers, which explore.py has computed.
(async () => {
  const { svg, short, chart, powers, powerText, path, histogram, mark, verdicts } = drawing;
  const find = (id) => document.getElementById(id);
  const page = await unpacked(find("data").textContent);
  const families = page.families;
  const schemes = families.flatMap((family) => family.schemes);
  const still = matchMedia("(prefers-reduced-motion: reduce)");

  async function unpacked(text) {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return JSON.parse(await new Response(stream).text());
  }

  // The setting as places on the axes of the grid.
  const state = { scheme: schemes.indexOf("he"), activation: page.activations.indexOf("relu"), depth: 1, width: page.widths.length - 1, skip: 0 };
  for (const name of ["scheme", "activation", "depth"]) if (!(state[name] >= 0)) state[name] = 0;
  state.depth = Math.min(state.depth, page.depths.length - 1);
  let elsewhere = null; // a point off the grid, from the server: its setting and numbers
  let before = null; // the curve of the setting that was shown before
  let rival = null; // the scheme beside which a lesson sets its own
  let playing = 0;

  function setting() {
    if (elsewhere) return elsewhere.setting;
    return {
      scheme: schemes[state.scheme],
      activation: page.activations[state.activation],
      depth: page.depths[state.depth],
      width: page.widths[state.width],
      skip: page.skips[state.skip],
    };
  }

  function pointAt({ scheme, activation, depth, width, skip }) {
    return page.points[activation][width][skip][depth][scheme];
  }

  const point = () => (elsewhere ? elsewhere.point : pointAt(state));

  function placeOf(scheme) {
    let rest = scheme;
    for (const [number, family] of families.entries()) {
      if (rest < family.schemes.length) return { number, family, step: rest };
      rest -= family.schemes.length;
    }
    return null;
  }

  const firstOf = (number) => families.slice(0, number).reduce((sum, family) => sum + family.schemes.length, 0);

  // --- the address

  function fragment() {
    const { skip, ...rest } = setting();
    return `#${new URLSearchParams(skip === null ? rest : { ...rest, skip })}`;
  }

  // What the address says of the setting; what the grid does not have is ignored.
  function read() {
    const given = new URLSearchParams(location.hash.slice(1));
    const written = { scheme: schemes, activation: page.activations, depth: page.depths, width: page.widths, skip: page.skips };
    if (![...given.keys()].some((name) => name in written)) return false;
    for (const [name, values] of Object.entries(written)) {
      const place = values.map((value) => (value === null ? "none" : String(value))).indexOf(given.get(name) ?? (name === "skip" ? "none" : ""));
      if (place >= 0) state[name] = place;
    }
    elsewhere = null;
    return true;
  }

  // --- the controls

  function fill(select, texts) {
    select.replaceChildren(...texts.map((text, i) => new Option(text, i)));
  }

  function makeControls() {
    fill(find("family"), families.map((family) => family.name));
    fill(find("activation"), page.activations);
    fill(find("skip"), page.skips.map((skip) => (skip === null ? "none" : `one for every ${skip} layers`)));
    for (const name of ["depth", "width"]) find(name).max = page[`${name}s`].length - 1;
    find("family").addEventListener("change", () => {
      const number = Number(find("family").value);
      move({ scheme: firstOf(number) + families[number].usual });
    });
    find("scale").addEventListener("input", () => {
      move({ scheme: firstOf(placeOf(state.scheme).number) + Number(find("scale").value) });
    });
    for (const name of ["depth", "width"]) find(name).addEventListener("input", () => move({ [name]: Number(find(name).value) }));
    for (const name of ["activation", "skip"]) find(name).addEventListener("change", () => move({ [name]: Number(find(name).value) }));
    find("controls").addEventListener("submit", (event) => event.preventDefault());
    find("cure").addEventListener("click", () => { move(cured()); find("headline").focus(); });
    find("play").addEventListener("click", play);
    document.querySelectorAll("[name=what]").forEach((radio) => radio.addEventListener("change", showHistograms));
    document.querySelectorAll(".lesson").forEach((link) => link.addEventListener("click", () => find("explorer").scrollIntoView()));
    addEventListener("hashchange", () => { const old = curveNow(); if (read()) { before = old; show(); } });
    if (find("free")) find("free").addEventListener("submit", ask);
  }

  // The dashed curve: of the scheme that the lesson names, or of the setting that was shown before.
  function dashed() {
    const scheme = rival === null ? -1 : schemes.indexOf(rival);
    if (scheme >= 0) return { losses: pointAt({ ...state, scheme }).training.losses, name: words({ ...setting(), scheme: rival }) };
    return before && before.name !== words(setting()) ? before : null;
  }

  function curveNow() {
    return { losses: point().training.losses, name: words(setting()) };
  }

  function move(change) {
    before = curveNow();
    elsewhere = null;
    Object.assign(state, change);
    history.replaceState(null, "", fragment());
    show();
  }

  function showControls() {
    const { number, family, step } = placeOf(state.scheme);
    find("family").value = number;
    find("activation").value = state.activation;
    find("skip").value = state.skip;
    find("scale-control").hidden = family.schemes.length < 2;
    find("scale-label").textContent = family.number;
    slide("scale", family.schemes.length - 1, step, `${short(family.values[step] ?? null)}: ${schemes[state.scheme]}`);
    slide("depth", page.depths.length - 1, state.depth, `${page.depths[state.depth]} layers`);
    slide("width", page.widths.length - 1, state.width, `${page.widths[state.width]} units`);
    const here = new URLSearchParams(fragment().slice(1)).toString();
    find("lesson").textContent = "";
    rival = null;
    for (const link of document.querySelectorAll(".lesson")) {
      const same = new URLSearchParams(link.hash.slice(1)).toString() === here;
      if (same) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
      if (same && link.dataset.beside) rival = link.dataset.beside;
      if (same) find("lesson").textContent = [link, ...link.parentNode.querySelectorAll(".sentence, .result")].map((part) => part.textContent.replace(/\.?$/, ".")).join(" ");
    }
  }

  function slide(id, max, value, text) {
    Object.assign(find(id), { max, value });
    find(id).setAttribute("aria-valuetext", text);
    find(`${id}-value`).textContent = text;
  }

  // --- the verdict

  function words({ scheme, activation, depth, width, skip }) {
    return `${scheme}, ${activation}, ${depth} layers of ${width}${skip === null ? "" : `, skip ${skip}`}`;
  }

  function showVerdict() {
    const { verdict, severity, words: symptoms, conclusions } = point();
    const { name, sign } = verdicts[verdict];
    find("mark").textContent = sign;
    find("mark").className = find("verdict-word").className = name;
    find("verdict-word").textContent = verdict;
    find("verdict-rest").textContent = `${words(setting())}: ${symptoms.join(", ")}, severity ${severity === null ? "without bound" : short(severity)} (0 is best)`;
    find("outcome").textContent = disagreement();
    find("live").textContent = `${words(setting())}: ${verdict}, ${symptoms.join(", ")}`;
    find("conclusions").replaceChildren(...conclusions.map((line) => Object.assign(document.createElement("li"), { textContent: `${line}.` })));
    find("cure").hidden = cured() === null;
    if (cured()) find("cure").textContent = `Show the cure: ${point().cure.start}`;
  }

  // Where the training of the page ends otherwise than the verdict says; a tenth of the images is right by guessing.
  function disagreement() {
    const { diverged_at: diverged, accuracy } = point().training;
    const failed = diverged !== null || accuracy < 0.25;
    const { steps, rate } = page.measuring;
    if (point().verdict === "trains" && failed) return `Its training here, ${steps} steps at the rate ${rate}, went wrong: ${trainingWords()}. The verdict speaks of some hundred steps at a good rate.`;
    if (point().verdict === "does not train" && !failed) return `Its training here went further than the verdict says: ${trainingWords()}.`;
    return "";
  }

  // The places of the cure, where the grid has it.
  function cured() {
    const { cure } = point();
    if (!cure || elsewhere) return null;
    const scheme = page.written.indexOf(cure.scheme);
    const depth = cure.depth === null ? state.depth : page.depths.indexOf(cure.depth);
    return scheme < 0 || depth < 0 ? null : { scheme, depth };
  }

  // --- the layers

  function showHistograms() {
    const what = document.querySelector("[name=what]:checked").value;
    const { low, high, layers } = point()[what];
    const tallest = Math.max(1, ...layers.flatMap((layer) => [...layer.shares, ...(layer.predicted ?? [])]));
    find("histograms").replaceChildren(...layers.map((layer, i) => {
      const theory = layer.predicted_std === null ? "" : `, in theory ${short(layer.predicted_std)}`;
      const outside = layer.clipped >= 5e-4 ? `, ${(100 * layer.clipped).toFixed(1)} % outside` : "";
      const numbers = `std ${short(layer.std)}${theory}${outside}`;
      const caption = Object.assign(document.createElement("figcaption"), { textContent: `${i + 1}: ${numbers}` });
      const figure = document.createElement("figure");
      figure.append(histogram(`Histogram of layer ${i + 1}: mean ${short(layer.mean)}, ${numbers}`, layer, tallest), caption);
      return figure;
    }));
    const { vectors } = page.measuring;
    find("histogram-note").textContent = `The ${what} of all units, from ${short(low)} to ${short(high)} in each picture; layers are numbered. Bars: one network, shown ${vectors} random vectors; the height is the square root of the share, so that low bars can be seen. Outline: what theory predicts${layers.some((layer) => layer.predicted) ? "" : ", which says nothing here"}.`;
  }

  const titles = { signal: "Signal: size of what a layer passes on", gradient: "Gradient: what comes back to a layer", difference: "Difference: how unlike two inputs look" };

  function showFactors() {
    const { factors } = point();
    find("factors").replaceChildren(...Object.entries(titles).map(([name, title]) => factorFigure(title, factors[name], factors[`predicted_${name}`] ?? [])));
  }

  function factorFigure(title, measured, predicted) {
    const sizes = [...measured, ...predicted].filter((value) => value > 0);
    const low = 10 ** Math.floor(Math.log10(Math.min(0.01, ...sizes)));
    const high = 10 ** Math.ceil(Math.log10(Math.max(100, ...sizes)));
    const last = measured.length;
    const step = last > 10 ? 5 : last > 5 ? 2 : 1;
    const ticks = [...Array(last).keys()].map((i) => i + 1).filter((layer) => layer === 1 || layer % step === 0);
    const text = `${title}. Layer by layer: ${measured.map(short).join(", ")}`;
    const { root, back, marks, at, left, right } = chart(text, 340, 220, { domain: [0.5, last + 0.5], ticks, title: "layer" }, { domain: [low, high], ticks: powers([low, high]), log: true, text: powerText, title });
    const [top, bottom] = [at.y(page.limit), at.y(1 / page.limit)];
    back.append(svg("rect", { class: "band", x: left, y: top, width: right - left, height: bottom - top }));
    const line = predicted.map((value, i) => [at.x(i + 1), value]).filter(([, value]) => value > 0).map(([x, value]) => [x, at.y(value)]);
    if (line.length) marks.append(svg("path", { class: "theory", d: path(line) }));
    measured.forEach((value, i) => {
      if (value > 0) marks.append(svg("circle", { class: "dot", cx: at.x(i + 1), cy: at.y(value), r: 3.5 }));
    });
    const figure = document.createElement("figure");
    figure.append(root);
    if (!measured.some((value) => value > 0)) figure.append(Object.assign(document.createElement("p"), { className: "note", textContent: "All of it is 0." }));
    return figure;
  }

  // --- the phase diagram

  function showPhase() {
    const { family, number } = placeOf(state.scheme);
    const curve = page.trainable[setting().activation] ?? [];
    const x = { domain: [1e-3, 10 ** 2.5], log: true, ticks: powers([1e-3, 300]), text: powerText, title: "n Var W: variance of the weights x units of a layer" };
    const y = { domain: [1.5, 30], log: true, ticks: page.depths, title: "hidden layers" };
    const { root, back, marks, at, left, bottom } = chart(phaseWords(), 480, 300, x, y);
    const edge = curve.map(({ sigma_w2, depth }) => [at.x(sigma_w2), at.y(depth ?? 1e9)]);
    if (edge.length) back.append(svg("path", { class: "region", d: `${path(edge)}V${bottom}H${left}Z` }));
    family.schemes.forEach((_, step) => page.depths.forEach((_, depth) => {
      const scheme = firstOf(number) + step;
      const place = page.sigma_w2[state.width][scheme];
      if (!(place > 0)) return;
      const [cx, cy] = [at.x(place), at.y(page.depths[depth])];
      marks.append(mark(pointAt({ ...state, scheme, depth }).verdict, cx, cy));
      if (!elsewhere && scheme === state.scheme && depth === state.depth) marks.append(svg("circle", { class: "here", cx, cy, r: 10 }));
      const target = svg("circle", { class: "target", cx, cy, r: 11 });
      target.addEventListener("click", () => move({ scheme, depth }));
      marks.append(target);
    }));
    find("phase").replaceChildren(root);
    find("phase-note").textContent = phaseWords();
  }

  function phaseWords() {
    const here = page.sigma_w2[state.width][state.scheme];
    const where = here > 0 ? `The ring is this setting, at n Var W = ${short(here)}.` : "Weights of this scheme have no variance that fits on the map.";
    const skip = setting().skip === null ? "" : " Theory's region is that of networks without skip connections.";
    return `Green: where theory expects that gradients, and differences between inputs, survive all layers. Verdicts of ${families[placeOf(state.scheme).number].name}: \u25cf trains, \u25cb in doubt, \u00d7 does not train. ${where}${skip}`;
  }

  // --- the training

  function every() {
    return Math.ceil(page.measuring.steps / 25);
  }

  const TOP = 3; // of the axis of losses; guessing has ln 10

  function drawCurve(count) {
    const { losses } = point().training;
    const { steps } = page.measuring;
    const title = `Training loss: ${trainingWords()}`;
    const x = { domain: [0, steps], ticks: [0, steps / 4, steps / 2, 3 * steps / 4, steps].filter(Number.isInteger), title: "training step" };
    const { root, marks, at, left, right } = chart(title, 480, 300, x, { domain: [0, TOP], ticks: [0, 1, 2, 3], title: "loss" });
    const guess = at.y(Math.log(10));
    marks.append(svg("path", { class: "grid", d: `M${left},${guess}H${right}` }), svg("text", { x: right, y: guess - 5, "text-anchor": "end" }, "guessing"));
    const line = (values) => path(values.map((loss, i) => [at.x((i + 0.5) * every()), at.y(loss ?? TOP)]));
    if (dashed()) marks.append(svg("path", { class: "before", d: line(dashed().losses) }));
    const shown = losses.slice(0, count);
    if (shown.length) marks.append(svg("path", { class: "line", d: line(shown) }));
    const { diverged_at: diverged } = point().training;
    if (diverged !== null && count >= losses.length) marks.append(mark("does not train", at.x(diverged), at.y(TOP)), svg("text", { x: at.x(diverged) + 9, y: at.y(TOP) + 4 }, `diverged at step ${diverged}`));
    find("curve").replaceChildren(root);
  }

  function trainingWords() {
    const { losses, diverged_at: diverged, accuracy } = point().training;
    if (diverged !== null) return `diverged at step ${diverged}`;
    return `after ${page.measuring.steps} steps the loss is ${short(losses.at(-1))}, and ${short(100 * accuracy)} % of the test images are right`;
  }

  function showTraining() {
    cancelAnimationFrame(playing);
    drawCurve(Infinity);
    find("play-words").textContent = `${trainingWords()}.`;
    const { batch_size: batch, optimizer, rate, tested } = page.measuring;
    const dashes = dashed() ? ` Dashed: ${dashed().name}.` : "";
    const beyond = point().training.losses.some((loss) => loss === null || loss > TOP) ? ` Losses above ${TOP} are drawn at ${TOP}.` : "";
    find("curve-note").textContent = `A real training on MNIST: ${optimizer} at the rate ${rate}, ${batch} images a step; a point is the mean of ${every()} steps. The test takes ${tested.toLocaleString("en")} images.${beyond}${dashes}`;
  }

  function play() {
    cancelAnimationFrame(playing);
    const { losses } = point().training;
    if (still.matches) { showTraining(); return; }
    find("play-words").textContent = "training ...";
    const begin = performance.now();
    const frame = (now) => {
      const count = Math.floor((now - begin) / 100);
      drawCurve(count);
      if (count < losses.length) playing = requestAnimationFrame(frame);
      else showTraining();
    };
    playing = requestAnimationFrame(frame);
  }

  // --- numbers and commands

  const columns = ["signal", "gradient", "difference", "saturated", "dead"];

  function cells(name, texts) {
    return texts.map((text, i) => {
      const cell = Object.assign(document.createElement(i ? name : "th"), { textContent: text });
      if (name === "th" || !i) cell.scope = name === "th" ? "col" : "row";
      return cell;
    });
  }

  function showNumbers() {
    const { activations, gradients, factors } = point();
    const head = ["layer", "mean", "std", "std in theory", "gradient's std", "in theory", ...columns];
    find("numbers-caption").textContent = `${words(setting())}. The first columns are those of random vectors, the last ones of MNIST; in brackets what theory says.`;
    find("numbers-head").replaceChildren(...cells("th", head));
    find("numbers-body").replaceChildren(...activations.layers.map((layer, i) => {
      const gradient = gradients.layers[i];
      const own = columns.map((name) => short(factors[name][i]) + (factors[`predicted_${name}`] ? ` (${short(factors[`predicted_${name}`][i])})` : ""));
      const row = document.createElement("tr");
      row.append(...cells("td", [String(i + 1), ...[layer.mean, layer.std, layer.predicted_std, gradient.std, gradient.predicted_std].map(short), ...own]));
      return row;
    }));
  }

  function showCommands() {
    const { skip, ...rest } = setting();
    const options = { ...rest, skip_option: skip === null ? "" : ` --skip ${skip}`, skip_argument: skip === null ? "" : `, skip=${skip}` };
    find("commands").textContent = page.commands.map((command) => command.replace(/\{(\w+)\}/g, (_, name) => options[name])).join("\n\n");
  }

  // --- the server

  async function ask(event) {
    event.preventDefault();
    const { activation, skip } = setting();
    const asked = { scheme: find("free-scheme").value, activation, depth: find("free-depth").value, width: find("free-width").value, skip: skip ?? "none" };
    find("free-state").textContent = "computing ...";
    const answer = await fetch(`point?${new URLSearchParams(asked)}`).then((response) => response.json()).catch(() => ({ error: "the server does not answer" }));
    find("free-state").textContent = answer.error ?? "";
    if (answer.error) return;
    before = curveNow();
    elsewhere = answer;
    show();
  }

  function show() {
    showControls();
    showVerdict();
    showHistograms();
    showFactors();
    showPhase();
    showTraining();
    showNumbers();
    showCommands();
    if (find("free") && !elsewhere) for (const name of ["scheme", "depth", "width"]) find(`free-${name}`).value = setting()[name];
  }

  makeControls();
  read();
  find("explorer").hidden = false;
  find("lessons").classList.add("brief"); // the panel says what they say, once one is chosen
  find("headline").tabIndex = -1;
  show();
  document.documentElement.dataset.ready = "true";
})();
