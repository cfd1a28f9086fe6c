"use strict";
// Draws the figures of the page from the numbers in #data. Names are data here too: they reach the page as text nodes
// or as text of an SVG, never as markup; series and categories are known to ECharts by their places, not their names.
(function () {
  const COLOURS = ["#1f5fa8", "#d1571b", "#2f8a4c", "#8a4fa3", "#b3912b", "#2e93a8", "#9c3848", "#5b7f2b", "#6b5bb5"];
  const OF_ROLE = { plan: "#1f5fa8", today: "#8794a1", limit: "#b5482f", base: "#bcc5ce", rest: "#6f7a85" };
  const UP = "#2a7f62", DOWN = "#b5482f", WHOLE = "#33506b";
  const INK = "#1d2733", SOFT = "#5b6875", GRID = "#e3e8ed";
  const FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, "DejaVu Sans", sans-serif';
  const SIZE = 12, LINE = 15;
  const pen = document.createElement("canvas").getContext("2d");
  pen.font = SIZE + "px " + FONT;
  const wide = (text) => pen.measureText(text).width;

  // A number for a reader, as the program's own tables write it.
  function amount(value) {
    const size = Math.abs(value);
    if (size < 1e-9) return "0";
    if (Number.isInteger(value) && size < 1e15) return value.toLocaleString("en-US");
    const digits = size >= 10000 ? 0 : size >= 100 ? 1 : size >= 0.01 ? 2 : null;
    if (digits === null) return String(Number(value.toPrecision(2)));
    return value.toLocaleString("en-US", { maximumFractionDigits: digits });
  }
  function percent(value) {
    const size = Math.abs(value * 100);
    return (value * 100).toLocaleString("en-US", { maximumFractionDigits: size >= 1 ? 1 : 2 }) + "%";
  }
  const told = (figure, value) => (figure.share ? percent(value) : amount(value));

  // Text in at most `lines` lines of `room` pixels, cut with an ellipsis where that is not enough.
  function wrapped(text, room, lines) {
    const out = [];
    let line = "";
    for (const word of text.match(/[^ \-_,/:]+[ \-_,/:]*|[ \-_,/:]+/g) || []) {
      if (wide(line + word) <= room) { line += word; continue; }
      if (line) { out.push(line); line = ""; }
      for (const letter of word) {
        if (wide(line + letter) > room && line) { out.push(line); line = ""; }
        line += letter;
      }
    }
    if (line) out.push(line);
    if (out.length <= lines) return out.map((each) => each.trim()).join("\n");
    const kept = out.slice(0, lines);
    let last = kept[lines - 1].trim();
    while (last && wide(last + "…") > room) last = Array.from(last).slice(0, -1).join("");
    kept[lines - 1] = last + "…";
    return kept.map((each) => each.trim()).join("\n");
  }

  // A step between marks that reads well, about `count` of them over the range.
  function step(range, count) {
    const raw = range / Math.max(1, count), power = Math.pow(10, Math.floor(Math.log10(raw)));
    return [1, 2, 2.5, 5, 10].find((each) => each * power >= raw * 0.999) * power;
  }

  // The ends and the step of an axis of numbers; from 0 unless `free` and all values lie far from it.
  // `room` is kept free above the largest value, as a share of the span; or `label`, a share of the axis, for its label.
  function scale(values, count, free, room, label) {
    let low = Math.min(...values), high = Math.max(...values);
    if (!isFinite(low)) { low = 0; high = 1; }
    const apart = high - low;
    if (!free || (low > 0 && apart > 0.6 * high)) low = Math.min(low, 0);
    if (!free || (high < 0 && apart > 0.6 * -low)) high = Math.max(high, 0);
    if (high === low) { const pad = Math.abs(high) * 0.05 || 1; high += pad; if (free) low -= pad; }
    const span = high - low, each = step(span * (1 + room), count);
    const floor = free && low !== 0 ? low - 0.06 * span : low;
    let min = Math.floor(floor / each + 1e-9) * each, max = Math.ceil((high + room * span) / each - 1e-9) * each;
    if (low >= 0 && min < 0) min = 0;
    if (label !== null) max = min + (high - min) / (1 - label);
    return { min: min, max: max, interval: each };
  }

  function marks(figure, interval) {
    if (figure.share) return (value) => percent(value);
    const digits = Math.max(0, Math.min(6, -Math.floor(Math.log10(interval) + 1e-9)));
    const more = digits && Math.abs(interval * Math.pow(10, digits) % 1) > 1e-6 ? 1 : 0;
    return (value) => value.toLocaleString("en-US", { maximumFractionDigits: digits + more });
  }

  function colour(series, place) { return OF_ROLE[series.role] || COLOURS[place % COLOURS.length]; }

  function valueAxis(figure, range, title, room) {
    return {
      type: "value", min: range.min, max: range.max, interval: range.interval, name: title && wrapped(title, room, 2),
      axisLabel: { color: SOFT, fontSize: SIZE, fontFamily: FONT, formatter: marks(figure, range.interval), hideOverlap: true,
        showMaxLabel: Math.abs((range.max - range.min) / range.interval % 1) < 1e-6 ? null : false },
      nameTextStyle: { color: SOFT, fontSize: SIZE, lineHeight: LINE, fontFamily: FONT },
      splitLine: { lineStyle: { color: GRID }, showMaxLine: false }, axisLine: { show: false }, axisTick: { show: false },
    };
  }

  function nameAxis(names, room, lines) {
    const shown = names.map((name) => wrapped(name, room, lines));
    return {
      type: "category", data: names.map((_, place) => place), axisTick: { show: false },
      axisLine: { lineStyle: { color: "#a9b4bf" } },
      axisLabel: {
        color: INK, fontSize: SIZE, lineHeight: LINE, fontFamily: FONT, interval: 0,
        formatter: (value) => shown[Number(value)],
      },
      shown: shown,
    };
  }

  // What is told where the pointer is: built of text nodes, so that no name can be markup.
  function tip(figure, view, place) {
    const box = document.createElement("div");
    box.className = "tip";
    const head = document.createElement("b");
    head.textContent = figure.kind === "chances" ? figure.categoryTitle + ": " + amount(Number(figure.categories[place]))
      : figure.kind === "steps" || figure.kind === "bars" || figure.kind === "dots" ? figure.categories[place]
      : /^[0-9]+$/.test(figure.categories[place]) ? figure.categoryTitle + " " + figure.categories[place] : figure.categories[place];
    box.append(head);
    for (const series of view.series) {
      const value = series.values[place];
      if (value === null || (figure.kind === "stack" && value === 0)) continue;
      const whole = figure.kind === "steps" && (place === 0 || place === series.values.length - 1);
      line(whole ? "profit" : series.name, value, view.series.length > 1 ? colour(series, view.series.indexOf(series)) : "");
    }
    if (figure.kind === "stack" && !figure.share && view.series.length > 1)
      line("in all", view.series.reduce((sum, series) => sum + (series.values[place] || 0), 0), "transparent");
    return box;
    function line(words, value, patch) {
      const row = document.createElement("div"), name = document.createElement("span"), number = document.createElement("span");
      if (patch) {
        const mark = document.createElement("i");
        mark.style.background = patch;
        name.append(mark);
      }
      name.append(words);
      number.textContent = told(figure, value) + (figure.unit ? " " + figure.unit : "");
      row.append(name, number);
      box.append(row);
    }
  }

  const common = (figure, view, pointer) => ({
    animation: false, textStyle: { fontFamily: FONT },
    tooltip: {
      trigger: "axis", confine: true, transitionDuration: 0, axisPointer: pointer || { type: "shadow" }, padding: 8,
      formatter: (hits) => (hits.length ? tip(figure, view, hits[0].dataIndex) : ""),
    },
    legend: { show: false },
  });

  // Upright bars over periods: stacked, or side by side with limits as marks across them.
  function upright(figure, view, width) {
    const stacked = figure.kind === "stack", count = figure.categories.length;
    const totals = figure.categories.map((_, at) => view.series.reduce((sum, each) => sum + (each.values[at] || 0), 0));
    const all = stacked ? totals : view.series.flatMap((each) => each.values.filter((value) => value !== null));
    const range = figure.share ? { min: 0, max: 1, interval: 0.25 } : scale(all, 5, false, 0.04, null);
    const left = Math.max(...[range.min, range.max, range.min + range.interval].map((v) => wide(marks(figure, range.interval)(v)))) + 12;
    const plot = width - left - 10, slot = plot / count, every = Math.ceil(count * 36 / plot);
    const x = nameAxis(figure.categories, Math.max(slot * every - 4, 34), 1), y = valueAxis(figure, range, figure.valueTitle, width - 20);
    x.axisLabel.interval = (place) => place % every === 0 || (place === count - 1 && place % every > every / 2);
    Object.assign(x, { name: figure.categoryTitle, nameLocation: "middle", nameGap: 26, nameTextStyle: { color: SOFT, fontSize: SIZE } });
    Object.assign(y, { nameLocation: "end", nameGap: 10 });
    Object.assign(y.nameTextStyle, { align: "left", padding: [0, 0, 0, -left + 2] });
    const bars = view.series.filter((each) => each.role !== "limit").length;
    const thick = Math.max(4, Math.min(stacked ? 64 : 52, slot * 0.72 / (stacked ? 1 : bars)));
    const series = view.series.map((each, place) => each.role === "limit"
      ? { id: String(place), name: String(place), type: "scatter", symbol: "rect", symbolSize: [Math.min(slot * 0.94, thick * bars * 1.35), 3.5],
          data: each.values.map((value, at) => [at, value === null ? "-" : value]), itemStyle: { color: colour(each, place) }, z: 5, emphasis: { disabled: true } }
      : { id: String(place), name: String(place), type: "bar", stack: stacked ? "all" : undefined, barWidth: thick,
          data: each.values.map((value) => (value === null ? "-" : value)), itemStyle: { color: colour(each, place), borderColor: "#fff", borderWidth: stacked ? 0.6 : 0 } });
    const lines = String(y.name).split("\n").length;
    return { height: 262 + (lines - 1) * LINE, option: Object.assign(common(figure, view), {
      grid: { left: left, right: 10, top: 20 + lines * LINE, bottom: 48, outerBoundsMode: "none" }, xAxis: x, yAxis: y, series: series }) };
  }

  // Lying bars or dots under one another, names at the left.
  function lying(figure, view, width) {
    const steps = figure.kind === "steps", dots = figure.kind === "dots", values = view.series.map((each) => each.values);
    let spans = null, all = values.flat().filter((value) => value !== null);
    if (steps) {
      let total = values[0][0];
      spans = values[0].map((value, at) => {
        if (at === 0 || at === values[0].length - 1) return [null, value];
        total += value;
        return [total - value, total];
      });
      all = spans.flat().filter((value) => value !== null);
    }
    const room = Math.min(300, Math.max(110, width * 0.36)), right = 30, plot = width - room - right;
    const label = dots ? 0 : Math.min(0.5, Math.max(0, 12 - right + 1.05 * Math.max(...values.flat().map((value) => (value === null ? 0 : wide("+" + told(figure, value)))))) / plot);
    const range = scale(all, Math.max(2, Math.min(6, Math.floor(plot / 85))), steps || dots, dots ? 0.05 : 0, dots ? null : label);
    const y = nameAxis(figure.categories, room - 10, width < 480 ? 3 : 2), tall = Math.max(...y.shown.map((text) => text.split("\n").length));
    const row = Math.max(tall * LINE + 8, 24), x = valueAxis(figure, range, figure.valueTitle, plot);
    Object.assign(y, { inverse: true });
    Object.assign(x, { nameLocation: "middle", nameGap: 28 });
    const lines = String(x.name).split("\n").length, foot = 36 + lines * LINE;
    const text = (formatter) => ({ show: true, position: "right", color: INK, fontSize: SIZE, fontFamily: FONT, formatter: formatter });
    let series;
    if (steps) {
      const low = (at) => (spans[at][0] === null ? range.min : Math.min(...spans[at]));
      const last = spans.length - 1;
      series = [
        { name: "base", type: "bar", stack: "all", stackStrategy: "all", barWidth: "64%", silent: true, itemStyle: { color: "transparent" }, data: spans.map((_, at) => low(at)) },
        { name: "0", type: "bar", stack: "all", stackStrategy: "all", label: text((hit) => {
            const value = values[0][hit.dataIndex], whole = hit.dataIndex === 0 || hit.dataIndex === last;
            return (whole || value < 0 ? "" : "+") + amount(value);
          }), data: spans.map((span, at) => ({ value: Math.max(...span.filter((v) => v !== null)) - low(at),
            itemStyle: { color: span[0] === null ? WHOLE : values[0][at] >= 0 ? UP : DOWN } })) },
      ];
    } else if (dots) {
      series = view.series.map((each, place) => ({ name: String(place), type: "scatter", symbolSize: 13, data: each.values.map((value, at) => [value, at]),
        symbol: each.role === "today" ? "diamond" : "circle", itemStyle: { color: colour(each, place) } }));
      y.splitLine = { show: true, lineStyle: { color: GRID } };
    } else {
      series = view.series.map((each, place) => ({ name: String(place), type: "bar", barMaxWidth: 22, itemStyle: { color: colour(each, place) },
        data: each.values.map((value) => (value === null ? "-" : value)), label: text((hit) => told(figure, hit.value)) }));
    }
    const option = Object.assign(common(figure, view), { xAxis: x, yAxis: y, series: series,
      grid: { left: room, right: right, top: 6, bottom: foot, outerBoundsMode: "none" } });
    return { height: figure.categories.length * row + foot + 6, option: option, note: range.min > 0 || range.max < 0 ? "The axis does not begin at 0." : "" };
  }

  // How probable at most so much is: a curve of steps.
  function chances(figure, view, width) {
    const x = figure.categories.map(Number), span = scale(x, Math.max(2, Math.min(7, Math.floor(width / 90))), true, 0.03, null);
    const across = valueAxis({ share: false }, span, figure.categoryTitle, width - 60);
    const up = valueAxis(figure, { min: 0, max: 1, interval: 0.25 }, figure.valueTitle, width - 20);
    Object.assign(across, { nameLocation: "middle", nameGap: 28 });
    Object.assign(up, { nameLocation: "end", nameGap: 10 });
    Object.assign(up.nameTextStyle, { align: "left", padding: [0, 0, 0, -40] });
    return { height: 300, note: span.min > 0 || span.max < 0 ? "The lower axis does not begin at 0." : "",
      option: Object.assign(common(figure, view, { type: "line" }), { xAxis: across, yAxis: up,
        grid: { left: 46, right: 30, top: 36, bottom: 54, outerBoundsMode: "none" },
        series: view.series.map((each, place) => ({ name: String(place), type: "line", step: "end", symbol: "none",
          lineStyle: { width: 2.5, color: colour(each, place) }, itemStyle: { color: colour(each, place) }, data: each.values.map((value, at) => [x[at], value]) })) }) };
  }

  const DRAW = { stack: upright, columns: upright, steps: lying, bars: lying, dots: lying, chances: chances };

  function legend(figure, view, chart) {
    const box = document.createElement("div");
    box.className = "legend";
    if (view.series.length < 2) return box;
    view.series.forEach((series, place) => {
      const button = document.createElement("button"), patch = document.createElement("i");
      button.type = "button";
      button.setAttribute("aria-pressed", "true");
      patch.style.background = colour(series, place);
      if (series.role === "limit") patch.className = "line";
      button.append(patch, document.createTextNode(series.name));
      button.addEventListener("click", () => {
        button.setAttribute("aria-pressed", button.getAttribute("aria-pressed") === "true" ? "false" : "true");
        chart.dispatchAction({ type: "legendToggleSelect", name: String(place) });
      });
      box.append(button);
    });
    return box;
  }

  function show(holder, figure) {
    let view = figure.views[0], drawn = 0;
    const canvas = document.createElement("div"), note = document.createElement("p");
    canvas.className = "canvas";
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-labelledby", holder.id + "-caption");
    note.className = "rest";
    let keys = document.createElement("div");
    holder.replaceChildren(keys, canvas, note);
    canvas.style.height = "120px";
    const chart = echarts.init(canvas, null, { renderer: "svg", width: Math.max(240, canvas.clientWidth), height: 120 });
    function draw(fresh) {
      const width = Math.max(240, canvas.clientWidth);
      if (!fresh && width === drawn) return;
      drawn = width;
      const made = DRAW[figure.kind](figure, view, width);
      if (fresh) {
        const anew = legend(figure, view, chart);
        keys.replaceWith(anew);
        keys = anew;
      }
      canvas.style.height = made.height + "px";
      chart.resize({ width: width, height: made.height });
      chart.setOption(made.option, fresh);
      note.textContent = made.note || "";
      const picture = canvas.querySelector("svg");
      if (picture) picture.setAttribute("viewBox", "0 0 " + width + " " + made.height);
    }
    draw(true);
    if (figure.views.length > 1) {
      const label = document.createElement("label"), choice = document.createElement("select");
      label.className = "views";
      label.append("Show ", choice);
      figure.views.forEach((each, place) => choice.append(new Option(each.name, String(place))));
      choice.addEventListener("change", () => { view = figure.views[Number(choice.value)]; draw(true); });
      holder.prepend(label);
    }
    if (window.ResizeObserver) new ResizeObserver(() => window.requestAnimationFrame(() => draw(false))).observe(canvas);
  }

  const figures = JSON.parse(document.getElementById("data").textContent).figures;
  figures.forEach((figure, place) => {
    const holder = document.getElementById("figure-" + place);
    if (holder) show(holder, figure);
  });
})();
