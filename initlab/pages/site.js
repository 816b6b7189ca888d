// The list of all claims: words and choices -> the rows that match, and an address that leads to them again.
"use strict";
(() => {
  const form = document.getElementById("filter");
  const count = document.getElementById("count");
  const heading = document.getElementById("claims");
  const fields = ["text", "verdict", "question", "source"].map((name) => form.elements.namedItem(name));
  const rows = [...document.querySelectorAll(".claims tbody tr")].map((element) => ({
    element,
    text: element.textContent.toLowerCase(),
    verdict: [element.dataset.verdict],
    question: [element.dataset.question],
    source: element.dataset.sources.split("\n"),
  }));

  const matches = (row, field) => {
    if (field.name === "text") {
      return field.value.toLowerCase().split(/\s+/).every((word) => row.text.includes(word));
    }
    return field.value === "" || row[field.name].includes(field.value);
  };

  const show = () => {
    const shown = rows.filter((row) => {
      row.element.hidden = !fields.every((field) => matches(row, field));
      return !row.element.hidden;
    });
    count.textContent = `${shown.length} of ${rows.length} claims shown.`;
  };

  const remember = () => {
    const chosen = fields.filter((field) => field.value !== "").map((field) => [field.name, field.value]);
    history.replaceState(null, "", `#${chosen.length ? new URLSearchParams(chosen) : heading.id}`);
  };

  // A fragment without any of the fields is an anchor of the page, and leaves the list as it is.
  const recall = () => {
    const chosen = new URLSearchParams(location.hash.slice(1));
    if (!fields.some((field) => chosen.has(field.name))) return;
    for (const field of fields) {
      field.value = chosen.get(field.name) ?? "";
      if (field.selectedIndex === -1) field.value = "";
    }
    show();
    heading.scrollIntoView();
    heading.focus({ preventScroll: true });
  };

  form.addEventListener("input", () => { show(); remember(); });
  form.addEventListener("submit", (event) => event.preventDefault());
  // The fields are empty only after this event.
  form.addEventListener("reset", () => setTimeout(() => { show(); remember(); }));
  addEventListener("hashchange", recall);
  form.hidden = false;
  show();
  recall();
})();
