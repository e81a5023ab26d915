/** A chart in words and as a table. */
import type { Value } from "./answer";
import type { Drawing, Line } from "./kinds";
import { momentText } from "./range";
import { exact, text, type Unit } from "./units";

export interface Summary {
  min: Value;
  mean: Value;
  max: Value;
  last: Value;
}

/** Over the lines that are shown. `last` is the newest figure of the first of them. */
export function summary(lines: Line[]): Summary {
  let [min, max, sum, known]: [Value, Value, number, number] = [null, null, 0, 0];
  for (const { series } of lines) {
    series.mean.forEach((mean, at) => {
      if (mean === null) return;
      const [low, high] = [series.min[at] ?? mean, series.max[at] ?? mean];
      [sum, known] = [sum + mean, known + 1];
      min = min === null || low < min ? low : min;
      max = max === null || high > max ? high : max;
    });
  }
  return { min, mean: known ? sum / known : null, max, last: newest(lines[0]) };
}

function newest(line: Line | undefined): Value {
  const values = line?.series.mean ?? [];
  for (let at = values.length - 1; at >= 0; at--) if ((values[at] ?? null) !== null) return values[at] ?? null;
  return null;
}

/** Buckets that count have a sum; what is measured has the rest. */
export function summaryParts(drawing: Drawing): [string, Value][] {
  const lines = drawing.lines.filter(({ shown }) => shown);
  const { min, mean, max, last } = summary(lines);
  if (drawing.steps) return [["in all", total(lines)], ["most at once", max]];
  const parts: [string, Value][] = [["min", min], ["mean", mean], ["max", max]];
  return lines.length === 1 ? [...parts, ["last", last]] : parts;
}

function total(lines: Line[]): Value {
  const known = lines.flatMap(({ series }) => series.mean).filter((value) => value !== null);
  return known.length ? known.reduce((sum, value) => sum + value, 0) : null;
}

/** Newest first. Rows without any figure are left out: they are gaps. */
export function fillTable(table: HTMLTableElement, drawing: Drawing, times_s: number[], step_s: number): void {
  const lines = drawing.lines.filter(({ shown }) => shown);
  const head = document.createElement("thead");
  head.append(row("th", ["Time", ...lines.map(({ label }) => label)]));
  const body = document.createElement("tbody");
  for (let at = times_s.length - 1; at >= 0; at--) {
    const values = lines.map(({ series }) => series.mean[at] ?? null);
    if (values.every((value) => value === null)) continue;
    body.append(valuesRow(momentText(times_s[at] ?? 0, step_s), values, drawing.unit));
  }
  table.replaceChildren(head, body);
}

function valuesRow(time: string, values: Value[], unit: Unit): HTMLTableRowElement {
  const cells = row("td", [time, ...values.map((value) => text(value, unit))]);
  values.forEach((value, at) => {
    const cell = cells.cells[at + 1];
    if (cell && value !== null) cell.title = exact(value, unit);
  });
  return cells;
}

function row(tag: "th" | "td", texts: string[]): HTMLTableRowElement {
  const line = document.createElement("tr");
  texts.forEach((content, at) => {
    const cell = document.createElement(tag);
    cell.textContent = content;
    if (at) cell.className = "n";
    if (tag === "th") (cell as HTMLTableCellElement).scope = "col";
    line.append(cell);
  });
  return line;
}
