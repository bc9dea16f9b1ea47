// Send the query to the worker and show the results. The search page has the same panel
// without a dialog.
{
  const PAUSE = 120; // milliseconds without typing before the query is sent

  const folder = new URL(".", document.currentScript.src);
  const panel = document.querySelector(".search");
  const form = panel.querySelector("form");
  const field = form.elements.q;
  const filters = [form.elements.kind, form.elements.chapter];
  const status = panel.querySelector("[role=status]");
  const results = panel.querySelector(".search-results");
  const [unknown, start, nothing] = panel.querySelectorAll(".search-help");
  const report = unknown.querySelector("a");
  const everywhere = nothing.querySelector("button");

  let worker;
  let timer;
  let asked = 0; // number of queries: only the answer to the last one is shown
  let isEntered = false; // Enter was pressed: open the first result when it arrives

  // The chapters are numbered in the order of the sidebar, as in search/index.py.
  const names = document.querySelectorAll(".sidebar-tree :is(p, .toctree-l2 > a)");
  for (const [place, { textContent }] of names.entries())
    form.elements.chapter.append(new Option(textContent, `chapter${place}`));

  const choices = new Map();
  for (const choice of panel.querySelectorAll("option:not([value=''])")) {
    choice.dataset.name = choice.textContent;
    choices.set(choice.value, choice);
  }

  // Sending the query

  const askSoon = () => {
    results.ariaBusy = "true";
    isEntered = false;
    asked += 1;
    clearTimeout(timer);
    timer = setTimeout(ask, PAUSE);
  };

  const ask = () => {
    results.ariaBusy = "true";
    asked += 1;
    clearTimeout(timer);
    const query = field.value.trim();
    remember(query);
    if (!query) return show({ pages: [], total: 0 });
    if (location.protocol === "file:") return fail(panel.dataset.file);
    worker ??= startWorker();
    worker.postMessage({
      id: asked,
      query,
      filters: filters.map(({ value, options }) => ({
        chosen: value,
        values: [...options].map((choice) => choice.value).filter(Boolean),
      })),
    });
  };

  // Keep the query in the address of the search page, so that it can be shared.
  const remember = (query) => {
    const isPage = !panel.closest("dialog");
    if (isPage) history.replaceState(null, "", `?${new URLSearchParams({ q: query })}`);
  };

  const startWorker = () => {
    const started = new Worker(new URL("worker.js", folder), { type: "module" });
    started.onerror = () => fail(panel.dataset.failed);
    started.onmessage = ({ data }) => {
      if (data.error) fail(panel.dataset.failed);
      else if (data.id === asked) show(data);
    };
    return started;
  };

  const fail = (reason) => {
    worker?.terminate();
    worker = undefined;
    show({ pages: [], total: 0 });
    nothing.hidden = true;
    status.textContent = reason;
  };

  // Showing the results

  const show = ({ pages, total, counts = [], isUnknown = false }) => {
    const isEmpty = !field.value.trim();
    results.ariaBusy = "false";
    results.replaceChildren(...pages.map(item));
    results.scrollTop = 0;
    status.textContent = isEmpty ? "" : summary(pages.length, total);
    start.hidden = !isEmpty;
    unknown.hidden = !isUnknown;
    if (isUnknown) {
      const lines = field.value.trim().split("\n");
      const title = lines.at(-1).slice(0, 120);
      const body = `\`\`\`\n${field.value.trim().slice(-2000)}\n\`\`\`\n`;
      report.href = `${panel.dataset.report}?${new URLSearchParams({ title, body })}`;
    }
    nothing.hidden = isEmpty || total > 0;
    everywhere.hidden = filters.every(({ value }) => !value);
    for (const [value, count] of counts) {
      const choice = choices.get(value);
      choice.textContent = `${choice.dataset.name} (${count})`;
      choice.disabled = count === 0 && !choice.selected;
    }
    if (isEntered) results.querySelector("a")?.click();
    isEntered = false;
  };

  const summary = (shown, total) => {
    const { none, one, many, more } = panel.dataset;
    const words = [none, one][total] ?? (shown < total ? more : many);
    return words.replace("{n}", total).replace("{shown}", shown);
  };

  const item = ({ url, title, filters, sections }) => {
    const where = filters.map((value) => choices.get(value).dataset.name);
    const [opening] = sections.filter((section) => !section.url);
    const others = sections.filter((section) => section.url);
    return element("li", {}, [
      element("div", { className: "search-hit" }, [
        element("a", { className: "search-title", href: url }, [title]),
        element("p", { className: "search-where" }, [where.join(" · ")]),
        ...(opening ? [quote(opening)] : []),
      ]),
      ...others.map((section) =>
        element("div", { className: "search-hit search-section" }, [
          element("a", { href: section.url }, [section.heading]),
          quote(section),
        ]),
      ),
    ]);
  };

  const quote = ({ excerpt }) => {
    const pieces = excerpt.map(({ text, isMarked }) =>
      isMarked ? element("mark", {}, [text]) : text,
    );
    return element("p", {}, pieces);
  };

  const element = (tag, properties, children) => {
    const node = Object.assign(document.createElement(tag), properties);
    node.append(...children);
    return node;
  };

  // Typing and choosing

  field.addEventListener("input", ({ isComposing }) => {
    if (!isComposing) askSoon(); // an input method composes Chinese from letters
  });
  field.addEventListener("compositionend", askSoon);
  for (const filter of filters) filter.addEventListener("change", ask);

  everywhere.addEventListener("click", () => {
    for (const filter of filters) filter.value = "";
    field.focus();
    ask();
  });

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (results.ariaBusy !== "true") return results.querySelector("a")?.click();
    ask();
    isEntered = true;
  });

  panel.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const targets = [field, ...results.querySelectorAll("a")];
    const here = targets.indexOf(document.activeElement);
    if (step && here >= 0) {
      event.preventDefault();
      targets[here + step]?.focus();
    }
  });

  if (field.value) ask(); // typed or restored before this script was loaded
}
