
"use strict";
// Takes the page's pictures over: zoom, choice of axes, lines on and off, values at the pointer and by keyboard.
// A chart's data stand beside it as JSON; what is drawn follows the rules of analysis/report/chart.py.
(() => {
  const MINUS = "\u2212";
  const MANY = 7; // lines, beyond which all can be switched at once

  function make(name, attributes = {}, parent = null, text = null) {
    const svg = ["svg", "g", "path", "text", "rect", "defs", "clipPath", "circle"].includes(name);
    const node = svg ? document.createElementNS("http://www.w3.org/2000/svg", name) : document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    if (text !== null) node.textContent = text;
    if (parent) parent.append(node);
    return node;
  }

  // Values onto pixels, and back.
  function scale([low, high], start, stop, log) {
    const bend = log ? (v) => Math.log10(Math.max(v, 1e-12)) : (v) => v;
    const [a, b] = [bend(low), bend(high)];
    const to = (v) => Math.round((start + ((bend(v) - a) / (b - a)) * (stop - start)) * 100) / 100;
    const back = (pixel) => {
      const v = a + ((pixel - start) / (stop - start)) * (b - a);
      return log ? 10 ** v : v;
    };
    return { low, high, to, back };
  }

  function extent(values, axis, room) {
    let [low, high] = values.length ? [Math.min(...values), Math.max(...values)] : [0, 1];
    if (axis.log) [low, high] = [Math.log10(Math.max(low, 1e-12)), Math.log10(Math.max(high, low, 1e-12))];
    if (axis.zero) low = Math.min(0, low);
    const free = room * (high - low) || Math.abs(high) / 10 || 1;
    if (!(axis.zero && low === 0)) low -= free;
    high += free;
    return axis.log ? [10 ** low, 10 ** high] : [low, high];
  }

  function ticks({ low, high }, most, log) {
    if (log) {
      let found = [];
      for (const steps of [[1, 2, 5], [1, 3], [1]]) {
        found = [];
        for (let p = Math.floor(Math.log10(low)); p <= Math.ceil(Math.log10(high)); p++)
          for (const step of steps) if (step * 10 ** p >= low && step * 10 ** p <= high) found.push(step * 10 ** p);
        if (found.length <= most + 1) break;
      }
      return found;
    }
    const rough = (high - low) / Math.max(most, 1);
    const base = 10 ** Math.floor(Math.log10(rough));
    const step = base * [1, 2, 5, 10].find((factor) => factor * base >= rough * (1 - 1e-9));
    const found = [];
    for (let i = Math.ceil(low / step - 1e-9); i <= Math.floor(high / step + 1e-9); i++) found.push(i * step || 0); // no minus zero
    return found;
  }

  function tickLabel(value, found, axis) {
    const factor = axis.share ? 100 : 1;
    const step = axis.log || found.length < 2 ? value : found[1] - found[0];
    const places = step ? Math.max(0, -Math.floor(Math.log10(Math.abs(step * factor)) + 1e-9)) : 0;
    const form = { minimumFractionDigits: places, maximumFractionDigits: places };
    return (value * factor).toLocaleString("en-US", form).replace("-", MINUS) + (axis.share ? "%" : "");
  }

  // A line through all corners, lifted where there is no height.
  function path(corners) {
    let [drawn, pen] = ["", "M"];
    for (const [x, y] of corners) {
      if (y !== null) drawn += `${pen}${x} ${y}`;
      pen = y === null ? "M" : "L";
    }
    return drawn;
  }

  class Chart {
    constructor(figure) {
      this.figure = figure;
      this.spec = JSON.parse(figure.querySelector("script").textContent);
      this.series = this.spec.series.map((series) => ({ ...series, on: series.shown }));
      this.axis = { x: this.spec.x[0], y: this.spec.y[0] };
      this.zoomed = null; // ranges of x and y, or null for everything
      this.chosen = null; // the point whose values are shown
      this.plot = figure.querySelector(".plot");
      this.svg = this.plot.querySelector("svg");
      this.plot.classList.add("live");
      this.svg.setAttribute("tabindex", "0");
      this.svg.setAttribute("role", "application");
      this.svg.setAttribute("aria-roledescription", "chart");
      const keys = "Arrow keys move from point to point, plus and minus zoom, 0 shows everything.";
      this.svg.setAttribute("aria-label", `${this.spec.title}. ${keys}`);
      this.tip = make("div", { class: "tip", role: "status", hidden: "" }, this.plot);
      this.legend();
      this.tools();
      this.listen();
      new ResizeObserver(() => this.resize()).observe(this.plot);
      this.resize();
    }

    resize() {
      const width = Math.round(this.plot.clientWidth);
      if (!width || width === this.width) return;
      this.width = width;
      this.height = Math.max(300, Math.min(this.spec.height, Math.round(width * 0.66)));
      this.draw();
    }

    // ---- controls

    legend() {
      for (const heading of this.figure.querySelectorAll(".legend .group")) {
        const group = heading.textContent;
        heading.textContent = "";
        const button = make("button", { type: "button" }, heading, group);
        button.addEventListener("click", () => this.toggle(this.series.filter((series) => series.group === group)));
      }
      this.buttons = [...this.figure.querySelectorAll(".legend li:not(.group)")].map((item, i) => {
        item.classList.remove("off");
        const button = make("button", { type: "button" });
        button.append(...item.childNodes);
        item.append(button);
        button.addEventListener("click", () => this.toggle([this.series[i]]));
        for (const event of ["pointerenter", "focus"]) button.addEventListener(event, () => this.emphasise(i));
        for (const event of ["pointerleave", "blur"]) button.addEventListener(event, () => this.emphasise(null));
        return button;
      });
      if (this.series.length > MANY) {
        const all = make("button", { type: "button", class: "all" }, make("li", {}, this.figure.querySelector(".legend")), "all or none");
        all.addEventListener("click", () => this.toggle(this.series));
      }
      this.press();
    }

    toggle(some) {
      const on = !some.every((series) => series.on);
      for (const series of some) series.on = on;
      this.press();
      this.hide();
      this.draw();
    }

    press() {
      this.buttons.forEach((button, i) => button.setAttribute("aria-pressed", String(this.series[i].on)));
    }

    emphasise(place) {
      this.svg.classList.toggle("dimmed", place !== null && this.series[place].on);
      for (const group of this.svg.querySelectorAll(".series"))
        group.classList.toggle("chosen", place !== null && group.dataset.place === String(place));
    }

    tools() {
      const choices = make("span", { class: "choices" });
      for (const [way, words] of [["y", "up"], ["x", "across"]]) if (this.spec[way].length > 1) this.choice(choices, way, words);
      if (choices.childElementCount) this.figure.querySelector("figcaption").after(choices);
      const zoom = make("span", { class: "zoom" }, this.figure.querySelector("figcaption"));
      const buttons = [["+", "Zoom in", 0.6], [MINUS, "Zoom out", 1 / 0.6], ["reset", "Show everything", 0]];
      for (const [text, label, factor] of buttons) {
        const button = make("button", { type: "button", "aria-label": label, title: label }, zoom, text);
        button.addEventListener("click", () => this.zoom(factor));
      }
    }

    choice(choices, way, words) {
      const label = make("label", {}, choices, words);
      const select = make("select", { "data-axis": way }, label);
      this.spec[way].forEach((axis, i) => make("option", { value: i }, select, axis.label));
      select.addEventListener("change", () => {
        this.axis[way] = this.spec[way][select.value];
        this.zoomed = null;
        this.hide();
        this.draw();
      });
    }

    // ---- drawing

    draw() {
      const [left, right, top, bottom] = this.spec.margins;
      this.box = { left, right: this.width - right, top, bottom: this.height - bottom };
      const { x, y } = this.axis;
      const points = this.series.filter((series) => series.on).flatMap((series) => series.points);
      const known = (sides, key) => sides.map((side) => side[key]).filter((v) => v !== null && v !== undefined);
      const all = {
        x: extent([...known(points.map((p) => p.place), x.key), ...known([x], "limit")], x, this.spec.room),
        y: extent([...known(points.flatMap((p) => [p.place, p.low, p.high]), y.key), ...known([y], "limit")], y, this.spec.room),
      };
      this.x = scale((this.zoomed || all).x, this.box.left, this.box.right, x.log);
      this.y = scale((this.zoomed || all).y, this.box.bottom, this.box.top, y.log);
      this.svg.setAttribute("viewBox", `0 0 ${this.width} ${this.height}`);
      this.svg.replaceChildren();
      this.frame();
      const clip = make("g", { "clip-path": `url(#${this.spec.id}-box)` }, this.svg);
      this.placed = [];
      this.series.forEach((series, i) => series.on && this.line(series, i, clip));
      this.ring = make("circle", { class: "ring", r: 8, visibility: "hidden" }, this.svg);
      if (this.chosen) this.show(this.chosen);
    }

    frame() {
      const { left, right, top, bottom } = this.box;
      const clip = make("clipPath", { id: `${this.spec.id}-box` }, make("defs", {}, this.svg));
      make("rect", { x: left - 6, y: top - 6, width: right - left + 12, height: bottom - top + 12 }, clip);
      const heights = ticks(this.y, Math.floor((bottom - top) / this.spec.ticks.y), this.axis.y.log);
      for (const value of heights) {
        const at = this.y.to(value);
        make("path", { class: "grid", d: `M${left} ${at}H${right}` }, this.svg);
        make("text", { class: "tick y", x: left - 8, y: at, dy: "0.32em" }, this.svg, tickLabel(value, heights, this.axis.y));
      }
      make("path", { class: "axis", d: `M${left} ${bottom}H${right}` }, this.svg);
      const widths = ticks(this.x, Math.floor((right - left) / this.spec.ticks.x), this.axis.x.log);
      for (const value of widths) {
        const at = this.x.to(value);
        make("path", { class: "axis", d: `M${at} ${bottom}v5` }, this.svg);
        make("text", { class: "tick x", x: at, y: bottom + 19 }, this.svg, tickLabel(value, widths, this.axis.x));
      }
      make("text", { class: "label y", x: 2, y: 14 }, this.svg, this.axis.y.label);
      make("text", { class: "label x", x: (left + right) / 2, y: this.height - 6 }, this.svg, this.axis.x.label);
      const { x, y } = this.axis;
      const within = (way, axis) => axis.limit !== null && axis.limit >= way.low && axis.limit <= way.high;
      if (within(this.x, x)) {
        const at = this.x.to(x.limit);
        make("path", { class: "limit", d: `M${at} ${top}V${bottom}` }, this.svg);
        make("text", { class: "limit x", x: at - 5, y: top + 10 }, this.svg, x.limited);
      }
      if (within(this.y, y)) {
        const at = this.y.to(y.limit);
        make("path", { class: "limit", d: `M${left} ${at}H${right}` }, this.svg);
        make("text", { class: "limit y", x: right, y: at - 5 }, this.svg, y.limited);
      }
    }

    line(series, place, clip) {
      const group = make("g", { class: `series ${series.look.colour}`, "data-place": place }, clip);
      const [x, y] = [this.axis.x.key, this.axis.y.key];
      const points = series.points.filter((p) => p.place[x] !== null).sort((a, b) => a.place[x] - b.place[x]);
      const dash = { "stroke-dasharray": series.look.dash };
      const dots = points.map((p) => [this.x.to(p.place[x]), p.place[y] === null ? null : this.y.to(p.place[y]), p]);
      const ends = points
        .filter((p) => (p.low[y] ?? null) !== null && (p.high[y] ?? null) !== null)
        .map((p) => [this.x.to(p.place[x]), this.y.to(p.low[y]), this.y.to(p.high[y])]);
      if (ends.length > 1) {
        const outline = [...ends.map(([at, low]) => [at, low]), ...ends.reverse().map(([at, , high]) => [at, high])];
        make("path", { class: "band", d: `${path(outline)}Z` }, group);
      } else if (ends.length) make("path", { class: "bar", d: `M${ends[0][0]} ${ends[0][1]}V${ends[0][2]}` }, group);
      if (series.level) {
        const at = this.y.to(series.points[0].place[y]);
        make("path", { class: "line level", d: `M${this.box.left} ${at}H${this.box.right}`, ...dash }, group);
      } else if (series.line && dots.length > 1) make("path", { class: "line", d: path(dots), ...dash }, group);
      for (const [at, height, point] of dots) {
        if (height === null) continue;
        this.placed.push({ x: at, y: height, point, series, place });
        if (!series.marks) continue;
        const look = point.hollow ? "dot hollow" : "dot";
        make("path", { class: look, d: series.look.symbol, transform: `translate(${at} ${height})` }, group);
      }
    }

    // ---- values of a point

    show(what) {
      const found = this.placed.find((each) => each.point === what.point);
      if (!found || !this.inside(found)) return this.hide();
      this.chosen = found;
      for (const [key, value] of [["cx", found.x], ["cy", found.y], ["visibility", "visible"]]) this.ring.setAttribute(key, value);
      this.emphasise(found.place);
      const { name, tip } = found.point;
      this.tip.replaceChildren();
      make("b", {}, this.tip, name.startsWith(found.series.name) ? name : `${found.series.name}: ${name}`);
      const list = make("dl", {}, this.tip);
      tip.forEach((text, i) => {
        make("dt", {}, list, this.spec.columns[i]);
        make("dd", {}, list, text);
      });
      this.tip.hidden = false;
      const ratio = this.plot.clientWidth / this.width;
      const [x, y] = [found.x * ratio, found.y * ratio];
      const [width, height] = [this.tip.offsetWidth, this.tip.offsetHeight];
      const beside = x + 16 + width <= this.plot.clientWidth ? x + 16 : Math.max(0, x - 16 - width);
      this.tip.style.left = `${beside}px`;
      this.tip.style.top = `${Math.max(-40, Math.min(y - height / 2, this.plot.clientHeight - height + 10))}px`;
    }

    hide() {
      this.chosen = null;
      this.tip.hidden = true;
      this.ring?.setAttribute("visibility", "hidden");
      this.emphasise(null);
    }

    inside({ x, y }) {
      const { left, right, top, bottom } = this.box;
      return x >= left - 1 && x <= right + 1 && y >= top - 7 && y <= bottom + 7;
    }

    // ---- pointer and keyboard

    spot(event) {
      const frame = this.svg.getBoundingClientRect();
      const ratio = this.width / frame.width;
      return [(event.clientX - frame.left) * ratio, (event.clientY - frame.top) * ratio];
    }

    nearest([x, y], some, most) {
      let [found, least] = [null, most];
      for (const each of some) {
        const away = Math.hypot(each.x - x, each.y - y);
        if (away < least && this.inside(each)) [found, least] = [each, away];
      }
      return found;
    }

    listen() {
      const { svg } = this;
      svg.addEventListener("pointermove", (event) => (this.from ? this.sweep(event) : this.point(event)));
      svg.addEventListener("pointerleave", (event) => {
        if (!this.from && event.pointerType === "mouse") this.hide(); // a finger leaves as soon as it has tapped
      });
      svg.addEventListener("pointerdown", (event) => {
        if (event.pointerType !== "mouse") return this.point(event);
        if (event.button !== 0) return;
        this.from = this.spot(event);
        svg.setPointerCapture(event.pointerId);
      });
      svg.addEventListener("pointerup", (event) => this.release(event));
      svg.addEventListener("pointercancel", () => this.drop());
      svg.addEventListener("dblclick", () => this.zoom(0));
      svg.addEventListener("blur", () => this.hide());
      svg.addEventListener("keydown", (event) => this.key(event));
      const pinch = (event) => {
        if (!event.ctrlKey) return; // a plain wheel scrolls the page
        event.preventDefault();
        this.zoom(Math.exp(event.deltaY / 200), this.spot(event));
      };
      svg.addEventListener("wheel", pinch, { passive: false });
    }

    point(event) {
      const found = this.nearest(this.spot(event), this.placed, 36);
      if (found) this.show(found);
      else this.hide();
    }

    sweep(event) {
      const [x, y] = this.spot(event);
      this.mark ||= make("rect", { class: "sweep" }, this.svg);
      const [left, top] = [Math.min(x, this.from[0]), Math.min(y, this.from[1])];
      const sides = { x: left, y: top, width: Math.abs(x - this.from[0]), height: Math.abs(y - this.from[1]) };
      for (const [key, value] of Object.entries(sides)) this.mark.setAttribute(key, value);
    }

    release(event) {
      if (!this.from) return;
      const [from, to] = [this.from, this.spot(event)];
      this.drop();
      if (Math.abs(from[0] - to[0]) < 8 || Math.abs(from[1] - to[1]) < 8) return;
      const sorted = (a, b) => (a < b ? [a, b] : [b, a]);
      const range = (way, i) => sorted(this[way].back(from[i]), this[way].back(to[i]));
      this.zoomed = { x: range("x", 0), y: range("y", 1) };
      this.hide();
      this.draw();
    }

    drop() {
      this.from = null;
      this.mark?.remove();
      this.mark = null;
    }

    // factor: of the ranges shown, 0 for everything; around a pixel, the chosen point or the middle.
    zoom(factor, around = null) {
      if (factor) {
        const { left, right, top, bottom } = this.box;
        const [x, y] = around || (this.chosen ? [this.chosen.x, this.chosen.y] : [(left + right) / 2, (top + bottom) / 2]);
        this.zoomed = {
          x: [x + (left - x) * factor, x + (right - x) * factor].map(this.x.back),
          y: [y + (bottom - y) * factor, y + (top - y) * factor].map(this.y.back),
        };
      } else this.zoomed = null;
      this.draw();
    }

    key(event) {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      const turn = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (step) this.along(step);
      else if (turn) this.across(turn);
      else if (event.key === "+" || event.key === "=") this.zoom(0.6);
      else if (event.key === "-") this.zoom(1 / 0.6);
      else if (event.key === "0") this.zoom(0);
      else if (event.key === "Escape") this.hide();
      else return;
      event.preventDefault();
    }

    along(step) {
      const here = this.chosen || this.placed[0];
      const line = this.placed.filter((each) => each.place === here?.place && this.inside(each));
      const next = this.chosen ? line[line.findIndex((each) => each.point === here.point) + step] : line[0];
      if (next) this.show(next);
    }

    across(turn) {
      if (!this.chosen) return this.along(1);
      const places = [...new Set(this.placed.filter((each) => this.inside(each)).map((each) => each.place))];
      const place = places[(places.indexOf(this.chosen.place) + turn + places.length) % places.length];
      const next = this.nearest([this.chosen.x, this.chosen.y], this.placed.filter((each) => each.place === place), Infinity);
      if (next) this.show(next);
    }
  }

  for (const figure of document.querySelectorAll("figure.chart")) new Chart(figure);
})();
