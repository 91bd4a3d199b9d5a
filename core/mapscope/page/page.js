// SPDX-License-Identifier: MIT
"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const page = document.getElementById("page");
  const LEVELS = 8;
  const ROWS = 50;

  // --- elements: text is text, never markup ---

  // What a terminal would act on, or what turns a line's direction round, is shown by its number.
  const odd = /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g;
  const clean = (value) => String(value).replace(
    odd, (c) => "\\u" + c.charCodeAt(0).toString(16).padStart(4, "0"));

  function add(into, made, attributes, children) {
    for (const [name, value] of Object.entries(attributes || {})) {
      if (value !== null && value !== undefined) made.setAttribute(name, value);
    }
    for (const child of [].concat(children === undefined ? [] : children)) {
      if (child === null) continue;
      made.append(child instanceof Node ? child : clean(child));
    }
    if (into) into.append(made);
    return made;
  }
  const html = (into, tag, attributes, children) =>
    add(into, document.createElement(tag), attributes, children);
  const svg = (into, tag, attributes, children) =>
    add(into, document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);

  // --- figures; null is not known ---

  const count = (value) => value === null || value === undefined ? "unknown"
    : value.toLocaleString("en-US");
  const plural = (value, what) => count(value) + " " + what + (value === 1 ? "" : "s");
  function size(value) {
    if (value === null || value === undefined) return "unknown";
    let shown = value;
    for (const unit of ["bytes", "KiB", "MiB", "GiB", "TiB"]) {
      if (Math.abs(shown) < 1024 || unit === "TiB") {
        return unit === "bytes" ? value + (value === 1 ? " byte" : " bytes")
          : shown.toFixed(1) + " " + unit;
      }
      shown /= 1024;
    }
    return "unknown";
  }
  const percent = (part) => part === null || part === undefined ? "unknown"
    : (100 * part).toFixed(1) + "%";
  const ratio = (value) => typeof value === "number" ? value.toFixed(2) : "unknown";

  function section(title) {
    const made = html(page, "section", { "aria-label": title });
    html(made, "h2", {}, title);
    return made;
  }
  function figures(into, rows) {
    const list = html(into, "dl", { class: "figures" });
    for (const [name, value] of rows) {
      const cell = html(list, "div");
      html(cell, "dt", {}, name);
      html(cell, "dd", {}, value);
    }
  }
  function warnings(into, lines) {
    for (const line of lines || []) html(into, "p", { class: "warn" }, line);
  }

  // --- histograms ---

  function drawHistogram(into, one, label) {
    const figure = html(into, "figure", { class: "histogram", "data-name": one.name });
    html(figure, "h3", {}, one.title);
    if (one.bins === null) {
      html(figure, "p", {}, "unknown: nothing of it could be looked at");
      return;
    }
    if (!one.bins.length) {
      html(figure, "p", {}, "none");
    } else {
      const width = 480, height = 150, left = 6, base = 120, top = 16;
      const most = Math.max(...one.bins.map((bin) => bin[2]), 1);
      const step = (width - 2 * left) / one.bins.length;
      const picture = svg(figure, "svg", {
        viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": one.title,
      });
      one.bins.forEach((bin, at) => {
        const drawn = bin[2] ? Math.max(1, (base - top) * bin[2] / most) : 0;
        const wide = Math.min(step - Math.min(2, step / 4), 60);
        const x = left + at * step + (step - wide) / 2;
        const bar = svg(picture, "rect", {
          class: "bar", x: x.toFixed(2), y: (base - drawn).toFixed(2), width: wide.toFixed(2),
          height: drawn.toFixed(2), "data-low": bin[0], "data-high": bin[1], "data-count": bin[2],
        });
        svg(bar, "title", {}, `${label(bin)}: ${count(bin[2])}`);
        const every = Math.ceil(one.bins.length / 10);
        if (at % every === 0) {
          svg(picture, "text", {
            class: "axis", x: (left + (at + .5) * step).toFixed(2), y: base + 15,
            "text-anchor": "middle",
          }, label(bin, true));
        }
      });
      svg(picture, "line", { class: "base", x1: left, x2: width - left, y1: base, y2: base });
      svg(picture, "text", { class: "axis", x: left, y: 11 }, "highest: " + count(most));
      const table = html(html(figure, "details"), "table");
      html(table.parentNode, "summary", { class: "dim" }, "as a table");
      table.parentNode.prepend(table.parentNode.lastChild);
      for (const bin of one.bins) {
        const row = html(table, "tr");
        html(row, "td", {}, label(bin));
        html(row, "td", { class: "number" }, count(bin[2]));
      }
    }
    if (one.without) {
      html(figure, "p", { class: "dim" },
        plural(one.without, "map") + " without such a number, or where it is unknown");
    }
  }
  const range = (bin) => bin[0] === bin[1] ? count(bin[0]) : `${count(bin[0])}\u2013${count(bin[1])}`;
  const short = (bin, brief) => brief ? String(bin[0]) : range(bin);
  const sizes = (bin, brief) => brief ? size(bin[0]).replace(" bytes", "").replace(".0 ", " ")
    : bin[1] === 0 ? "0 bytes" : `${size(bin[0])} to ${size(bin[1])}`;
  const fills = (bin, brief) => brief ? 5 * bin[0] + "%" : `${5 * bin[0]}% to ${5 * bin[1] + 5}%`;
  const tenths = (bin, brief) => {
    const last = bin[1] >= 40 ? " or more" : "";
    return brief ? String(bin[0]) : range(bin) + last;
  };

  // --- heat maps ---

  function levelOf(one, at, most) {
    const held = one.squares[at];
    if (held === null) return "unknown";
    const places = placesOf(one, at);
    if (one.evacuated !== null && one.evacuated[at] === places) return "moved";
    if (!held) return "level0";
    return "level" + Math.max(1, Math.min(LEVELS, Math.ceil(LEVELS * held / places / most)));
  }
  const placesOf = (one, at) =>
    Math.min(one.places_per_square, one.places - at * one.places_per_square);

  function drawHeat(into, one, most) {
    // a power of two, so that what is a power of two is a rectangle
    const side = 1 << Math.round(Math.log2(Math.max(1, one.squares.length)) / 2);
    const figure = html(into, "figure", { class: "heatmap", "data-array": one.array });
    const name = one.array === "old" ? `old ${one.unit}s` : `${one.unit}s`;
    html(figure, "h3", {}, `${count(one.places)} ${name}, ${count(one.entries)} entries`);
    const rows = Math.ceil(one.squares.length / side);
    const picture = svg(figure, "svg", {
      class: "heat", viewBox: `0 0 ${side} ${rows}`, tabindex: 0, role: "application",
      "shape-rendering": "crispEdges",
      "aria-label": `heat map of ${name}; arrow keys move from one to the next`,
    });
    const paths = new Map();
    one.squares.forEach((_, at) => {
      const level = levelOf(one, at, most);
      if (!paths.has(level)) paths.set(level, []);
      paths.get(level).push(`M${at % side} ${Math.floor(at / side)}h1v1h-1z`);
    });
    for (const [level, pieces] of paths) {
      svg(picture, "path", { class: level, d: pieces.join(""), "data-squares": pieces.length });
    }
    const cursor = svg(picture, "rect", { class: "cursor", width: 1, height: 1, visibility: "hidden" });
    const told = html(figure, "output", { "aria-live": "polite" });
    told.textContent = one.places_per_square > 1
      ? `each square is ${count(one.places_per_square)} ${one.unit}s, their average` : "";
    if (one.looked_at < one.places) {
      html(figure, "p", { class: "warn" },
        `only ${count(one.looked_at)} of ${count(one.places)} were looked at`);
    }
    let chosen = 0;
    function show(at) {
      if (at < 0 || at >= one.squares.length) return;
      chosen = at;
      cursor.setAttribute("x", at % side);
      cursor.setAttribute("y", Math.floor(at / side));
      cursor.setAttribute("visibility", "visible");
      const first = at * one.places_per_square, places = placesOf(one, at);
      const what = places === 1 ? `${one.array === "old" ? "old " : ""}${one.unit} ${count(first)}`
        : `${one.array === "old" ? "old " : ""}${one.unit}s ${count(first)} to ${count(first + places - 1)}`;
      const held = one.squares[at];
      let text = held === null ? "unknown, not all of it was looked at"
        : plural(held, "live entry").replace("entrys", "entries");
      if (held !== null && places > 1) text += `, ${(held / places).toFixed(2)} each`;
      if (one.evacuated !== null && one.evacuated[at] !== null) {
        text += places === 1 ? (one.evacuated[at] ? ", evacuated" : ", not evacuated")
          : `, ${count(one.evacuated[at])} of ${count(places)} evacuated`;
      }
      told.textContent = `${what}: ${text}`;
    }
    picture.addEventListener("focus", () => show(chosen));
    picture.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -side, ArrowDown: side,
        Home: -chosen, End: one.squares.length - 1 - chosen }[event.key];
      if (step === undefined) return;
      event.preventDefault();
      show(chosen + step);
    });
    picture.addEventListener("pointermove", (event) => {
      const box = picture.getBoundingClientRect();
      const x = Math.floor((event.clientX - box.left) / box.width * side);
      const y = Math.floor((event.clientY - box.top) / box.height * rows);
      if (x >= 0 && x < side) show(y * side + x);
    });
  }

  function drawLegend(into, most, old, unknown) {
    const legend = html(into, "div", { class: "legend dim" });
    const entry = (level, text) => {
      const box = html(legend, "span");
      svg(svg(box, "svg", { viewBox: "0 0 1 1", "aria-hidden": "true" }), "rect",
        { class: level, width: 1, height: 1 });
      box.append(clean(text));
    };
    entry("level0", "no entry");
    for (let level = 1; level <= LEVELS; level++) {
      entry("level" + level, `up to ${(most * level / LEVELS).toFixed(1)}`);
    }
    if (old) entry("moved", "evacuated");
    if (unknown) entry("unknown", "unknown");
  }

  // --- treemaps ---

  // Squarified: rows of boxes along the shorter side, as long as they become no longer.
  function layOut(values, x, y, width, height) {
    const placed = [];
    let left = values.reduce((sum, value) => sum + value, 0), at = 0;
    while (at < values.length && left > 0) {
      const along = Math.min(width, height), scale = width * height / left;
      let end = at, sum = 0, worst = Infinity;
      while (end < values.length) {
        const more = sum + values[end], thick = more * scale / along;
        const now = Math.max(
          thick * along * thick / (values[at] * scale * along),
          Math.max(thick / (values[end] * scale / thick), values[at] * scale / thick / thick));
        if (end > at && now > worst) break;
        worst = now; sum = more; end++;
      }
      const thick = sum * scale / along;
      let offset = 0;
      for (; at < end; at++) {
        const long = values[at] * scale / thick;
        placed.push(width >= height ? [x, y + offset, thick, long] : [x + offset, y, long, thick]);
        offset += long;
      }
      if (width >= height) { x += thick; width -= thick; } else { y += thick; height -= thick; }
      left -= sum;
    }
    return placed;
  }

  function boxText(one) {
    const unknown = one.without_bytes ? ` (and ${plural(one.without_bytes, "map")} of unknown size)` : "";
    const what = one.groups ? `${count(one.groups)} others` : one.name;
    return `${what}: ${size(one.bytes)}${unknown}, ${size(one.wasted)} wasted, ` +
      `${plural(one.maps, "map")}, ${count(one.count)} entries`;
  }

  function drawTree(into, tree) {
    into.replaceChildren();
    const all = tree.boxes.concat(tree.others.groups ? [tree.others] : []);
    const shown = all.filter((one) => one.bytes > 0);
    const width = 960, height = 420;
    if (!shown.length) {
      html(into, "p", {}, "no map here has bytes that are known");
      return;
    }
    const picture = svg(into, "svg", { class: "tree", viewBox: `0 0 ${width} ${height}`,
      role: "group", "aria-label": "boxes as large as the memory that is held; arrow keys move" });
    const told = html(into, "output", { "aria-live": "polite" });
    const places = layOut(shown.map((one) => one.bytes), 0, 0, width, height);
    const groups = places.map(([x, y, wide, high], at) => {
      const one = shown[at];
      const group = svg(picture, "g", { tabindex: at ? -1 : 0, class: one.groups ? "others" : "box",
        role: "img", "aria-label": clean(boxText(one)), "data-bytes": one.bytes });
      const place = { x: x.toFixed(2), y: y.toFixed(2), width: Math.max(0, wide).toFixed(2) };
      svg(group, "rect", { ...place, height: Math.max(0, high).toFixed(2) });
      const part = Math.max(0, Math.min(1, one.wasted / one.bytes)) * high;
      if (part > 2 && wide > 4) {
        svg(group, "rect", { class: "waste", x: (x + 1).toFixed(2), width: (wide - 2).toFixed(2),
          y: (y + high - part).toFixed(2), height: Math.max(0, part - 1).toFixed(2) });
      }
      svg(group, "title", {}, boxText(one));
      const letters = Math.floor((wide - 8) / 7);
      if (letters > 3 && high > 18) {
        const name = clean(one.groups ? `${count(one.groups)} others` : one.name);
        const label = name.length > letters ? name.slice(0, letters - 1) + "\u2026" : name;
        svg(group, "text", { x: (x + 5).toFixed(2), y: (y + 14).toFixed(2) }, label);
        if (high > 34 && letters > 8) {
          svg(group, "text", { x: (x + 5).toFixed(2), y: (y + 28).toFixed(2) }, size(one.bytes));
        }
      }
      const show = () => { told.textContent = clean(boxText(one)); };
      group.addEventListener("focus", show);
      group.addEventListener("pointerenter", show);
      return group;
    });
    picture.addEventListener("keydown", (event) => {
      const at = groups.indexOf(document.activeElement);
      const next = { ArrowLeft: at - 1, ArrowUp: at - 1, ArrowRight: at + 1, ArrowDown: at + 1,
        Home: 0, End: groups.length - 1 }[event.key];
      if (at < 0 || next === undefined) return;
      event.preventDefault();
      if (!groups[next]) return;
      groups[at].setAttribute("tabindex", -1);
      groups[next].setAttribute("tabindex", 0);
      groups[next].focus();
    });
  }

  // --- tables to search and page through ---

  // columns: [title, value of a row, kind]
  function drawTable(into, what, columns, rows, unknown) {
    const tools = html(into, "div", { class: "tools" });
    const search = html(tools, "input", { type: "search", "aria-label": `search in ${what}`,
      placeholder: "search" });
    const back = html(tools, "button", { type: "button" }, "\u2190 back");
    const on = html(tools, "button", { type: "button" }, "on \u2192");
    const told = html(tools, "output", { "aria-live": "polite" });
    const wide = html(into, "div", { class: "wide", tabindex: 0, role: "region",
      "aria-label": `${what}; the arrow keys left and right turn pages` });
    const table = html(wide, "table");
    const head = html(html(table, "thead"), "tr");
    for (const [title, , kind] of columns) html(head, "th", { class: kind, scope: "col" }, title);
    const body = html(table, "tbody");
    const texts = rows.map((row) => columns.map((column) => String(column[1](row))).join("\n").toLowerCase());
    let first = 0, chosen = rows.map((_, at) => at);
    function show() {
      body.replaceChildren();
      for (const at of chosen.slice(first, first + ROWS)) {
        const line = html(body, "tr");
        for (const [, value, kind, draw] of columns) {
          const cell = html(line, "td", { class: kind });
          if (draw) draw(cell, rows[at]); else cell.append(clean(value(rows[at])));
        }
      }
      const last = Math.min(first + ROWS, chosen.length);
      told.textContent = chosen.length ? `${count(first + 1)} to ${count(last)} of ${count(chosen.length)}`
        + (chosen.length < rows.length ? ` that match, of ${count(rows.length)}` : "")
        : rows.length ? `none of the ${count(rows.length)} here match` : unknown || "none";
      back.disabled = first === 0;
      on.disabled = last >= chosen.length;
    }
    function turn(to) {
      if (to < 0 || to >= Math.max(1, chosen.length)) return;
      first = to;
      show();
    }
    search.addEventListener("input", () => {
      const wanted = search.value.toLowerCase();
      chosen = rows.map((_, at) => at).filter((at) => texts[at].includes(wanted));
      turn(0);
    });
    back.addEventListener("click", () => turn(Math.max(0, first - ROWS)));
    on.addEventListener("click", () => turn(first + ROWS));
    wide.addEventListener("keydown", (event) => {
      const to = { ArrowLeft: Math.max(0, first - ROWS), ArrowRight: first + ROWS, Home: 0,
        End: Math.max(0, Math.ceil(chosen.length / ROWS) - 1) * ROWS }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      turn(to);
    });
    show();
  }

  // --- the page of a map ---

  function drawGrowth(growth, buckets) {
    const part = section("Migration");
    html(part, "p", {},
      `${growth.kind}: ${count(growth.old_buckets)} \u2192 ${count(buckets)} buckets`);
    if (growth.progress === null || growth.progress === undefined) {
      html(part, "p", {}, "how far it is: unknown");
    } else {
      html(part, "progress", { max: 1, value: growth.progress, "aria-label": "progress",
        "data-progress": growth.progress });
      html(part, "p", {}, percent(growth.progress));
    }
    figures(part, [
      ["old buckets evacuated", count(growth.evacuated)], ["remaining", count(growth.remaining)],
      ["evacuated ahead", count(growth.ahead)], ["entries moved", count(growth.entries_moved)],
      ["entries waiting", count(growth.entries_waiting)]]);
  }

  function drawMap() {
    const shown = data.inspect, stats = data.stats;
    html(page, "h1", { class: "mono" }, shown.type);
    html(page, "p", { class: "dim" }, `${shown.address === null ? "nil" : shown.address}, ` +
      `${shown.flavor}${shown.go_version ? ", " + shown.go_version : ""}; taken ${data.taken}`);
    warnings(page, data.said);
    warnings(page, shown.problems.concat(stats.problems.filter((p) => !shown.problems.includes(p))));
    const bytes = stats.bytes;
    const rows = [["entries", count(shown.count)], ["load factor", ratio(stats.load_factor)]];
    if ("grows_above" in shown) rows.push(["grows above", count(shown.grows_above)]);
    if ("buckets" in shown) rows.push(["buckets", count(shown.buckets)]);
    if ("groups" in shown) rows.push(["groups", count(shown.groups)]);
    if ("tombstones" in shown) rows.push(["tombstones", count(shown.tombstones)]);
    rows.push(["bytes", size(bytes.total)], ["of it neither keys nor values", size(bytes.wasted)],
      ["as a fresh copy, about", size(bytes.rebuilt)]);
    if (bytes.retained_by_old === null || bytes.retained_by_old > 0) {
      rows.push(["retained by the old array", size(bytes.retained_by_old)]);
    }
    figures(page, rows);
    html(page, "p", { id: "verdict" }, "hash: " + stats.hash_verdict.text);
    if (shown.growth) drawGrowth(shown.growth, shown.buckets);
    const heat = section("How full each " + data.unit + " is");
    if (data.heat.length) {
      const averages = data.heat.flatMap((one) => one.squares.map(
        (held, at) => held === null ? 0 : held / placesOf(one, at)));
      const most = averages.reduce((a, b) => Math.max(a, b), 0) || 1;
      drawLegend(heat, most, data.heat.some((one) => one.evacuated !== null),
        data.heat.some((one) => one.squares.includes(null)));
      const side = html(heat, "div", { class: "side" });
      const order = (one) => one.array === "old" ? 0 : 1;
      [...data.heat].sort((a, b) => order(a) - order(b)).forEach((one) => drawHeat(side, one, most));
    } else {
      html(heat, "p", {}, data.heat_unknown === null ? "it has none"
        : "cannot tell: " + data.heat_unknown);
    }
    const part = section("Distributions");
    const cells = data.histograms.find((one) => one.name === "cells");
    const places = data.heat.find((one) => one.array === "new");
    if (shown.growth && cells && cells.bins && places &&
        cells.bins.reduce((sum, bin) => sum + bin[2], 0) < places.looked_at) {
      html(part, "p", { class: "dim" }, "old buckets that are evacuated, and new ones that nothing " +
        "was moved to yet, are empty by design and not counted here");
    }
    const side = html(part, "div", { class: "side" });
    for (const one of data.histograms) drawHistogram(side, one, short);
    const entries = section("Entries");
    const held = data.entries;
    if (!held.complete) {
      html(entries, "p", { class: "warn" }, `${count(held.rows.length)} of ${count(held.of)} ` +
        (held.error === null ? "stand in this page" : `could be read: ${held.error}`));
    }
    const columns = [["key", (row) => row[0], "mono"]];
    if (held.rows.some((row) => row[1] !== null)) {
      columns.push(["value", (row) => row[1] === null ? "" : row[1], "mono"]);
    }
    columns.push(["place", (row) => row[2] + (row[3] ? ", in flight" : "")]);
    drawTable(entries, "entries", columns, held.rows, held.complete ? "none" : "unknown");
  }

  // --- the page of a process ---

  function drawProcess() {
    const heap = data.heap, totals = heap.totals;
    html(page, "h1", {}, `${plural(totals.maps, "map")}, ${count(totals.count)} entries`);
    html(page, "p", { class: "dim" }, `taken ${data.taken}`);
    warnings(page, data.said);
    warnings(page, heap.notes.map((note) => "note: " + note));
    if (!heap.complete) warnings(page, ["not all maps were looked at"]);
    figures(page, [["maps", count(totals.maps)], ["entries", count(totals.count)],
      ["bytes", size(totals.bytes)], ["wasted", size(totals.wasted)],
      ["retained by old arrays", size(totals.retained)], ["growing", count(totals.growing)],
      ["types certain", count(totals.types.certain)],
      ["types not certain", count(totals.types.candidates + totals.types.unknown)]]);
    const out = section("What stands out");
    if (!heap.findings.length) {
      html(out, "p", {}, heap.complete ? "nothing" : "nothing in what was looked at");
    }
    for (const finding of heap.findings) {
      html(out, "p", { class: "finding" }, [size(finding.bytes) + ": ", finding.message,
        finding.examples.length ? " (" + finding.examples.join(", ") + ")" : ""]);
    }
    const tree = section("Who holds the memory");
    const choice = html(tree, "div", { class: "tools", role: "group", "aria-label": "boxes by" });
    const picture = html(tree, "figure");
    const buttons = ["type", "owner"].map((by) => {
      const button = html(choice, "button", { type: "button" }, "by " + by);
      button.addEventListener("click", () => {
        buttons.forEach((one) => one.setAttribute("aria-pressed", one === button));
        drawTree(picture, data.treemap[by]);
      });
      return button;
    });
    html(tree, "p", { class: "dim" }, "the lower part of a box is wasted: a fresh map of the same entries would not need it");
    buttons[0].click();
    if (data.migrations.of) {
      const moving = section("Migrations");
      if (data.migrations.rows.length < data.migrations.of) {
        html(moving, "p", { class: "dim" }, `the ${count(data.migrations.rows.length)} that retain ` +
          `most, of ${count(data.migrations.of)}`);
      }
      drawTable(moving, "migrations", [["map", (row) => row.address, "mono"],
        ["kind", (row) => row.kind], ["progress", (row) => row.progress === null
          ? "unknown: " + row.unknown : percent(row.progress), "", (cell, row) => {
          if (row.progress === null) { cell.append(clean("unknown: " + row.unknown)); return; }
          html(cell, "progress", { max: 1, value: row.progress, "data-progress": row.progress,
            "aria-label": "progress" });
          cell.append(percent(row.progress));
        }], ["retained", (row) => size(row.retained), "number"], ["type", (row) => row.type, "mono"],
        ["owner", (row) => row.owner, "mono"]], data.migrations.rows);
    }
    const part = section("All maps");
    const side = html(part, "div", { class: "side" });
    const labels = { fill: fills, bytes: sizes, wasted: sizes, chains: tenths };
    for (const one of data.histograms) drawHistogram(side, one, labels[one.name]);
    const rows = section("The largest maps");
    if (heap.maps.length < totals.maps) {
      html(rows, "p", { class: "dim" }, `the largest ${count(heap.maps.length)} of ` +
        `${count(totals.maps)} stand here`);
    }
    const owner = (row) => row.owner !== null ? row.owner
      : row.garbage ? "(nothing refers to it)" : "unknown";
    const type = (row) => row.type !== null ? row.type
      : row.candidates.length ? "one of " + row.candidates.join(", ") : "unknown";
    drawTable(rows, "maps", [["map", (row) => row.address, "mono"],
      ["bytes", (row) => size(row.bytes), "number"], ["wasted", (row) => size(row.wasted), "number"],
      ["entries", (row) => count(row.count), "number"],
      ["fill", (row) => row.fill === null ? "" : percent(row.fill), "number"],
      ["growing", (row) => row.growing || ""], ["type", type, "mono"], ["owner", owner, "mono"]],
    heap.maps);
  }

  if (data.of === "map") drawMap(); else drawProcess();
  document.title = clean(data.of === "map" ? `${data.inspect.type} - mapscope` : "maps - mapscope");
  page.dataset.drawn = "yes";
})();
