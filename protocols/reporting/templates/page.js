"use strict";
// Sorting, filters, and links into folded parts. The address keeps the state, as in
// #task=gait&words=acl&sort=table-1.2.descending, so that a view can be sent to somebody.
(() => {
  const form = document.getElementById("filters");
  const found = document.getElementById("found");
  const fields = ["task", "data", "kind", "words"].map((name) => document.getElementById(name));
  const blocks = [...document.querySelectorAll("[data-block]")].map((node) => ({
    node,
    type: node.dataset.block,
    task: node.dataset.task,
    datasets: JSON.parse(node.dataset.datasets),
    title: text(node.querySelector("h3, summary")),
    all: null,
    rows: [...node.querySelectorAll("tr[data-source]")].map((row) => ({
      node: row,
      kind: row.dataset.source,
      text: text(row),
    })),
  }));
  const sorted = new Map();

  function text(node) {
    return node ? node.textContent.toLowerCase() : "";
  }

  // ---- filters

  function choose(block, task, data, kind, words) {
    if ((task && block.task !== task) || (data && !block.datasets.includes(data))) return false;
    const named = words.every((word) => block.title.includes(word));
    if (block.rows.length === 0) {
      if (named) return true;
      block.all ??= text(block.node);
      return words.every((word) => block.all.includes(word));
    }
    let any = false;
    for (const row of block.rows) {
      const fits =
        (!kind || row.kind === kind) && (named || words.every((word) => row.text.includes(word)));
      row.node.hidden = !fits;
      any ||= fits;
    }
    return any;
  }

  function filter() {
    const [task, data, kind, query] = fields.map((field) => field.value);
    const words = query.toLowerCase().split(/\s+/).filter(Boolean);
    const counts = { table: [0, 0], figure: [0, 0], run: [0, 0] };
    for (const block of blocks) {
      const fits = choose(block, task, data, kind, words);
      block.node.hidden = !fits;
      if (block.type in counts) {
        counts[block.type][0] += fits ? 1 : 0;
        counts[block.type][1] += 1;
      }
    }
    for (const table of document.querySelectorAll("article table")) hideEmptyGroups(table);
    for (const part of document.querySelectorAll(".family, main > section:has([data-block])")) {
      part.hidden = !part.querySelector("[data-block]:not([hidden])");
    }
    for (const link of document.querySelectorAll("nav a")) {
      const goal = document.getElementById(link.hash.slice(1));
      link.parentElement.hidden = Boolean(goal?.closest("[hidden]"));
    }
    const limited = Boolean(task || data || kind || words.length);
    found.textContent = limited
      ? Object.entries(counts)
          .map(([type, [shown, all]]) => `${shown} of ${all} ${type}s`)
          .join(", ")
      : "";
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
      sorted.set(table, `${table.closest("article").id}.${column}.${direction}`);
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
      const button = document.createElement("button");
      button.type = "button";
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
      const table = document.querySelector(`article[id="${CSS.escape(anchor)}"] table`);
      const known = direction === "ascending" || direction === "descending";
      if (table?.tHead.rows[0].cells[column] && known) sort(table, Number(column), direction);
    }
    filter();
  }

  function arrive() {
    const written = location.hash.slice(1);
    if (written.includes("=")) {
      recall(written);
      return;
    }
    const goal = written && document.getElementById(written);
    if (!goal) return;
    if (goal.closest("[hidden]")) clear();
    for (let part = goal.closest("details"); part; part = part.parentElement.closest("details")) {
      part.open = true;
    }
    // Of a run, the line that names it should be seen too.
    (goal.classList.contains("run") ? goal.closest("details") : goal).scrollIntoView();
  }

  document.querySelectorAll("article table").forEach(addButtons);
  form.hidden = false;
  form.querySelector("details").open = !matchMedia("(max-width: 40rem)").matches;
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", () => {
    filter();
    remember();
  });
  form.addEventListener("reset", () => {
    clear();
    remember();
  });
  addEventListener("hashchange", arrive);
  addEventListener("beforeprint", () => {
    for (const part of document.querySelectorAll(".sources")) part.open = true;
  });
  arrive();
})();
