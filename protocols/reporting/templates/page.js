"use strict";
// Search, sorting, links into folded parts, and the runs, which are read from the page's own data.
// The address keeps the view, as in #task=gait&words=acl&sort=table-1.2.descending, so that it can
// be sent to somebody.
(() => {
  const form = document.getElementById("filters");
  const found = document.getElementById("found");
  const fields = ["task", "data", "kind", "words"].map((name) => document.getElementById(name));
  const text = (node) => (node ? node.textContent.toLowerCase() : "");
  const blocks = [...document.querySelectorAll("[data-block=table], [data-block=figure]")].map(
    (node) => ({
      node,
      type: node.dataset.block,
      task: node.dataset.task,
      datasets: JSON.parse(node.dataset.datasets),
      title: text(node.querySelector("h3") ?? node.querySelector("summary")),
      all: null,
      rows: [...node.querySelectorAll("tr[data-source]")].map((row) => ({
        node: row,
        kind: row.dataset.source,
        text: null,
      })),
    }),
  );
  const runs = [...document.querySelectorAll("#All tr[data-source]")].map((row) => ({
    node: row,
    kind: row.dataset.source,
    task: row.dataset.task,
    data: row.dataset.dataset,
    count: Number(row.dataset.runs),
    text: null,
  }));
  const folds = [...document.querySelectorAll(".others, .block > details")];
  const sorted = new Map();
  let before = null; // which parts were unfolded before a filter

  // ---- filters

  function fitsRow(row, kind, words) {
    if (kind && row.kind !== kind) return false;
    // Names that are shortened are found in full.
    row.text ??= words.length
      ? `${text(row.node)} ${[...row.node.querySelectorAll("[title]")].map((one) => one.title).join(" ")}`.toLowerCase()
      : null;
    return words.every((word) => row.text.includes(word));
  }

  function choose(block, task, data, kind, words) {
    if ((task && block.task !== task) || (data && !block.datasets.includes(data))) return false;
    const left = words.filter((word) => !block.title.includes(word));
    if (block.rows.length === 0) {
      if (left.length === 0) return true;
      block.all ??= text(block.node);
      return left.every((word) => block.all.includes(word));
    }
    let any = false;
    for (const row of block.rows) {
      const fits = fitsRow(row, kind, left);
      row.node.hidden = !fits;
      any ||= fits;
    }
    return any;
  }

  function filter() {
    const [task, data, kind, query] = fields.map((field) => field.value);
    const words = query.toLowerCase().split(/\s+/).filter(Boolean);
    const limited = Boolean(task || data || kind || words.length);
    const counts = { table: [0, 0], figure: [0, 0], run: [0, 0] };
    for (const block of blocks) {
      const fits = choose(block, task, data, kind, words);
      block.node.hidden = !fits;
      counts[block.type][0] += fits ? 1 : 0;
      counts[block.type][1] += 1;
    }
    for (const run of runs) {
      const placed = (!task || run.task === task) && (!data || run.data === data);
      const fits = placed && fitsRow(run, kind, words);
      run.node.hidden = !fits;
      counts.run[0] += fits ? run.count : 0;
      counts.run[1] += run.count;
    }
    for (const table of document.querySelectorAll("article table")) hideEmptyGroups(table);
    for (const part of document.querySelectorAll(".gallery, .others, .task")) {
      part.hidden = limited && !part.querySelector("[data-block]:not([hidden])");
      if (part.className === "gallery") part.previousElementSibling.hidden = part.hidden;
    }
    const all = document.getElementById("All")?.closest("section");
    if (all) all.hidden = counts.run[0] === 0;
    document.getElementById("overview").hidden = limited;
    unfold(limited, Boolean(kind || words.length));
    for (const link of document.querySelectorAll("nav a")) {
      const goal = document.getElementById(link.hash.slice(1));
      link.parentElement.hidden = Boolean(goal?.closest("[hidden]"));
    }
    found.textContent = limited
      ? Object.entries(counts)
          .map(([type, [shown, every]]) => `${shown} of ${every} ${type}s`)
          .join(", ")
      : "";
  }

  // What was looked for is in sight; afterwards all is as it was.
  function unfold(limited, inside) {
    if (limited) {
      before ??= folds.map((part) => part.open);
      folds.forEach((part, place) => {
        const found = part.className === "others" || part.parentElement.dataset.block === "table";
        part.open = (inside && found && !part.closest("[hidden]")) || before[place];
      });
    } else if (before) {
      folds.forEach((part, place) => { part.open = before[place]; });
      before = null;
    }
  }

  function clear() {
    for (const field of fields) field.value = "";
    filter();
  }

  function hideEmptyGroups(table) {
    let heading = null;
    const mixed = sorted.has(table) && !("apart" in table.dataset);
    for (const row of table.tBodies[0].rows) {
      if (row.classList.contains("group")) {
        heading = row;
        heading.hidden = true;
      } else if (heading && !row.hidden && !mixed) {
        heading.hidden = false;
      }
    }
  }

  // ---- sorting

  function key(row, column) {
    const cell = row.cells[column];
    if (column === 0) return text(cell.querySelector(".name"));
    if (cell.dataset.value !== undefined) return Number(cell.dataset.value);
    return cell.classList.contains("text") ? text(cell) || null : null;
  }

  function compare(one, other, sign) {
    // Rows without a value come last in either direction.
    if (one === null || other === null) return (one === null) - (other === null);
    return sign * (typeof one === "number" ? one - other : one.localeCompare(other));
  }

  const addressOf = (table) => table.id || table.closest(".body").id;

  function sort(table, column, direction) {
    const body = table.tBodies[0];
    table.origin ??= [...body.rows];
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, place) => {
      if (place === column && direction) head.setAttribute("aria-sort", direction);
      else head.removeAttribute("aria-sort");
    });
    table.classList.toggle("mixed", Boolean(direction) && !("apart" in table.dataset));
    if (!direction) {
      sorted.delete(table);
      body.append(...table.origin);
    } else {
      sorted.set(table, `${addressOf(table)}.${column}.${direction}`);
      const sign = direction === "ascending" ? 1 : -1;
      const apart = "apart" in table.dataset;
      // Runs of rows that are sorted among themselves, each with the headings before it.
      const parts = [{ headings: [], rows: [] }];
      for (const row of table.origin) {
        const last = parts.at(-1);
        if (row.dataset.source) last.rows.push([key(row, column), row]);
        else if (apart) parts.push({ headings: [row], rows: [] });
        else last.headings.push(row);
      }
      for (const { headings, rows } of parts) {
        rows.sort(([one], [other]) => compare(one, other, sign));
        body.append(...headings, ...rows.map(([, row]) => row));
      }
    }
    hideEmptyGroups(table);
  }

  function addButtons(table) {
    [...table.tHead.rows[0].cells].forEach((head, column) => {
      const button = make("button", { type: "button" });
      button.append(...head.childNodes);
      head.append(button);
      const first = head.dataset.first ?? "ascending";
      const second = first === "ascending" ? "descending" : "ascending";
      button.addEventListener("click", () => {
        const now = head.getAttribute("aria-sort");
        sort(table, column, now === first ? second : now === second ? null : first);
        remember();
      });
    });
  }

  // ---- runs

  const dialog = document.getElementById("detail");
  let unpacked = null;

  // A node with these properties and children; texts stay texts.
  function make(name, properties = {}, ...children) {
    const node = Object.assign(document.createElement(name), properties);
    node.append(...children);
    return node;
  }

  async function details() {
    const packed = atob(document.getElementById("details").content.textContent);
    const bytes = Uint8Array.from(packed, (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return JSON.parse(await new Response(stream).text());
  }

  const pairs = (facts) =>
    make("dl", {}, ...Object.entries(facts).map(([name, value]) =>
      make("div", {}, make("dt", {}, name), make("dd", {}, value))));

  const lines = (values) =>
    make("pre", {}, Object.entries(values).map(([name, value]) => `${name}: ${value}`).join("\n") || "none");

  function part(title, content) {
    return [make("h3", {}, title), content];
  }

  function aboutRun(run) {
    const links = run.tables.map(([title, anchor]) => make("a", { href: `#${anchor}` }, title));
    const shown = make("p", {}, "Shown in: ", ...links.flatMap((link, place) => (place ? [", ", link] : [link])));
    if (links.length === 0) shown.append("no table");
    return [
      ...run.notes.map((note) => make("p", { className: "remark" }, note)),
      pairs({ ...run.facts, Record: run.file }),
      shown,
      ...(run.errors ? [make("p", {}, make("a", { href: run.errors }, "Worst errors, animated"))] : []),
      ...part("Command", make("pre", {}, run.command)),
      ...part("Metrics: rates from 0 to 1", pairs(run.metrics)),
      ...part("Counts", pairs(run.counts)),
      ...part("Settings", lines(run.settings)),
      ...part("Environment", lines(run.environment)),
    ];
  }

  function aboutSet(names, all) {
    const members = names.map((name) => all[name]);
    const metrics = Object.keys(members[0].metrics)
      .filter((metric) => members.every((run) => metric in run.metrics))
      .sort((one, other) => one.includes("/") - other.includes("/"))
      .slice(0, 6);
    const head = make("tr", {}, ...["Run", ...metrics].map((name) => make("th", { scope: "col" }, name)));
    const rows = members.map((run, place) =>
      make("tr", {},
        make("th", { scope: "row" }, make("a", { href: `#${names[place]}` }, run.title)),
        ...metrics.map((metric) => make("td", {}, run.metrics[metric].split(" (")[0]))));
    const table = make("table", { className: "plain" }, make("thead", {}, head), make("tbody", {}, ...rows));
    const shared = {};
    const differing = {};
    for (const name of new Set(members.flatMap((run) => Object.keys(run.settings)))) {
      const values = members.map((run) => run.settings[name] ?? "absent");
      if (new Set(values).size === 1) shared[name] = values[0];
      else differing[name] = values.join("; ");
    }
    const box = make("div", { className: "scroll", tabIndex: 0 }, table);
    box.setAttribute("role", "region");
    box.setAttribute("aria-label", "The runs");
    return [
      box,
      ...(Object.keys(differing).length ? part("Settings that differ", pairs(differing)) : []),
      ...part("Settings in common", lines(shared)),
    ];
  }

  async function showRuns(name) {
    unpacked ??= details();
    const { runs: all, sets } = await unpacked;
    const set = sets[name];
    if (!set && !all[name]) return;
    const title = set ? `${set.length} runs: ${all[set[0]].title} and others` : all[name].title;
    const close = make("button", { type: "button", id: "close" }, "Close");
    close.addEventListener("click", () => dialog.close());
    dialog.replaceChildren(
      make("header", {}, make("h2", { id: "detail-title" }, title), close),
      make("div", {}, ...(set ? aboutSet(set, all) : aboutRun(all[name]))),
    );
    dialog.setAttribute("aria-labelledby", "detail-title");
    if (!dialog.open) dialog.showModal();
    dialog.scrollTop = 0;
  }

  // ---- the address

  function remember() {
    const state = new URLSearchParams();
    for (const field of fields) if (field.value) state.set(field.id, field.value);
    for (const word of sorted.values()) state.append("sort", word);
    const written = state.toString();
    try {
      history.replaceState(null, "", written ? `#${written}` : "#overview");
    } catch {
      // Some viewers allow no change of the address; the view itself has changed.
    }
  }

  function recall(written) {
    const state = new URLSearchParams(written);
    for (const field of fields) field.value = state.get(field.id) ?? "";
    for (const word of state.getAll("sort")) {
      const [anchor, column, direction] = word.split(".");
      const table = document.querySelector(`[id="${CSS.escape(anchor)}"] table, table[id="${CSS.escape(anchor)}"]`);
      const known = direction === "ascending" || direction === "descending";
      if (table?.tHead.rows[0].cells[column] && known) sort(table, Number(column), direction);
    }
    filter();
  }

  function arrive() {
    const written = location.hash.slice(1);
    if (dialog.open && !document.getElementById(written)?.closest("#All")) dialog.close();
    if (written.includes("=")) {
      recall(written);
      return;
    }
    const goal = written && document.getElementById(written);
    if (!goal) return;
    if (goal.closest("#All")) {
      showRuns(written);
      return;
    }
    if (goal.closest("[hidden]")) clear();
    for (let part = goal.closest("details"); part; part = part.parentElement.closest("details")) {
      part.open = true;
    }
    // Of a table and a figure the title should be seen too.
    const whole = goal.matches(".body, figcaption") ? goal.closest(".block") : goal;
    whole.scrollIntoView();
    // What was laid out on the way may have moved it.
    requestAnimationFrame(() => whole.scrollIntoView());
  }

  // A run is shown where one is: the page below neither scrolls nor loses its focus.
  function follow(event) {
    const link = event.target.closest("a[href^='#']");
    const goal = link && document.getElementById(link.hash.slice(1));
    if (!goal?.closest("#All") || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    try {
      history.pushState(null, "", link.hash);
    } catch {
      // As in remember.
    }
    showRuns(goal.id);
  }

  // ---- light and dark

  function addScheme() {
    const label = document.getElementById("scheme");
    const choice = label.querySelector("select");
    const set = (name) => { document.documentElement.dataset.scheme = name; };
    try {
      set((choice.value = localStorage.getItem("scheme") ?? ""));
    } catch {
      // Some viewers keep nothing.
    }
    choice.addEventListener("change", () => {
      set(choice.value);
      try {
        localStorage.setItem("scheme", choice.value);
      } catch {
        // The choice holds until the page is closed.
      }
    });
    label.hidden = false;
  }

  document.querySelectorAll("article table").forEach(addButtons);
  addScheme();
  form.hidden = false;
  if (matchMedia("(max-width: 40rem)").matches) {
    for (const fold of document.querySelectorAll("#filters > details, article > details")) fold.open = false;
  }
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", () => {
    filter();
    remember();
  });
  form.addEventListener("reset", () => {
    clear();
    remember();
  });
  dialog.addEventListener("close", remember);
  document.addEventListener("click", follow);
  addEventListener("hashchange", arrive);
  addEventListener("beforeprint", () => {
    for (const part of document.querySelectorAll("main details")) part.open = true;
  });
  arrive();
})();
