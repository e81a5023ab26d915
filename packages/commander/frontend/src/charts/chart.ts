/** One chart with everything around it: title, summary in words, legend with switches, the same as a table. */
import type uPlot from "uplot";
import { drawBands, wrongAt } from "./bands";
import { wrapped } from "./colours";
import type { ChartListener, Frame } from "./frame";
import { startKeys } from "./keys";
import type { Drawing, Line } from "./kinds";
import { drawMarks, near, placeMarks } from "./marks";
import { data, plot, showLines } from "./plot";
import { momentText } from "./range";
import { fillTable, summaryParts } from "./table";
import { exact, text } from "./units";

export class Chart {
  readonly plot: uPlot;
  private readonly place = part("div", "plot");
  private readonly marks = part("div", "marks");
  private readonly summary = part("p", "summary");
  private readonly moment = part("span", "moment");
  private readonly legend = part("div", "legend");
  private readonly table = document.createElement("table");
  private readonly details: HTMLDetailsElement;
  private readAt: number | null | undefined;

  constructor(
    figure: HTMLElement,
    public drawing: Drawing,
    private readonly frame: Frame,
    listener: ChartListener,
    private first: boolean,
  ) {
    this.details = tableBox(drawing.title, this.table, () => this.fill());
    figure.replaceChildren(captionOf(drawing.title, this.moment, this.summary), this.place, this.legend, this.details);
    this.place.append(this.marks);
    this.legend.append(...drawing.lines.map((line, at) => this.switchFor(line, at)));
    this.describe();
    this.plot = plot(drawing, frame, this.place, {
      onZoom: (from_s, to_s) => listener.onZoom(from_s, to_s),
      onRead: () => this.plot?.cursor.idx !== this.readAt && this.read(),
      onDrawn: () => this.drawn(),
      onCleared: () => this.plot && drawBands(this.plot, this.frame.bands, this.frame, this.frame.colours),
    });
    startKeys(this.place, this.plot, frame, listener, (index) => this.reading(index));
    this.tell();
    this.read();
  }

  /** Shows other figures of the same lines, as they are switched; false if the lines are others. */
  renew(drawing: Drawing, first: boolean): boolean {
    const before = this.drawing.lines;
    if (drawing.lines.length !== before.length || drawing.lines.some(({ key }, at) => key !== before[at]?.key)) return false;
    drawing.lines.forEach((line, at) => (line.shown = before[at]?.shown ?? line.shown));
    [this.drawing, this.first] = [drawing, first];
    this.redraw();
    return true;
  }

  redraw(): void {
    this.plot.setData(data(this.drawing, this.frame.times_s));
    this.tell();
    this.read();
    this.fill();
  }

  resize(): void {
    const { clientWidth: width, clientHeight: height } = this.place;
    if (width && (width !== this.plot.width || height !== this.plot.height)) this.plot.setSize({ width, height });
  }

  private reading(index: number): string {
    const lines = this.drawing.lines.filter(({ shown }) => shown);
    const values = lines.map(({ label, series }) => `${label} ${text(series.mean[index], this.drawing.unit)}`);
    return [this.momentText(index), ...values].join(", ");
  }

  private momentText(index: number): string {
    const { times_s, step_s, events, bands } = this.frame;
    const at_s = times_s[index] ?? 0;
    return [momentText(at_s, step_s), ...near(events, at_s, step_s), ...wrongAt(bands, at_s, step_s)].join(" · ");
  }

  private switchFor(line: Line, at: number): HTMLButtonElement {
    const button = document.createElement("button");
    button.type = "button";
    button.className = `key series-${wrapped(line.tint)}${line.dashed ? " dashed" : ""}`;
    button.ariaPressed = String(line.shown);
    button.title = line.about;
    button.append(part("i", ""), `${line.label} `, part("b", ""));
    button.addEventListener("click", () => this.toggle(at, button));
    const bring = (forward: boolean) => () => this.bring(forward ? at : null);
    button.addEventListener("pointerenter", bring(true));
    button.addEventListener("pointerleave", bring(false));
    return button;
  }

  private bring(at: number | null): void {
    const many = this.drawing.lines.filter(({ shown }) => shown).length > 1;
    if (at === null || (many && this.drawing.lines[at]?.shown)) this.plot.setSeries(at === null ? null : at + 1, { focus: at !== null });
  }

  private toggle(at: number, button: HTMLButtonElement): void {
    const line = this.drawing.lines[at];
    if (!line) return;
    line.shown = !line.shown;
    button.ariaPressed = String(line.shown);
    showLines(this.plot, this.drawing);
    this.tell();
    this.fill();
  }

  private describe(): void {
    const { id, title } = this.drawing;
    this.summary.id = `summary-${id.replaceAll(/\W+/g, "-")}`;
    this.place.tabIndex = 0;
    this.place.role = "group";
    this.place.ariaRoleDescription = "chart";
    this.place.ariaLabel = `${title}. Arrow keys read it, plus and minus zoom, Escape goes back.`;
    this.place.setAttribute("aria-describedby", this.summary.id);
  }

  private tell(): void {
    const { unit } = this.drawing;
    const parts = summaryParts(this.drawing).map(([word, value]) => {
      const shown = part("span", "");
      shown.textContent = `${word} ${text(value, unit)}`;
      shown.title = exact(value, unit);
      return shown;
    });
    this.summary.replaceChildren(...parts);
  }

  /** The figures under the cursor; without one, the newest. */
  private read(): void {
    const cursor = (this.readAt = this.plot.cursor.idx) ?? null;
    this.moment.textContent = cursor === null ? "" : this.momentText(cursor);
    this.drawing.lines.forEach(({ series }, at) => {
      const value = series.mean[cursor ?? lastKnown(series.mean)];
      const shown = this.legend.children[at]?.querySelector("b");
      if (!shown) return;
      shown.textContent = text(value, this.drawing.unit);
      shown.title = exact(value, this.drawing.unit);
    });
  }

  private drawn(): void {
    if (!this.plot) return;
    drawMarks(this.plot, this.frame.events, this.frame.colours);
    placeMarks(this.marks, this.plot, this.first ? this.frame.events : [], this.frame);
  }

  private fill(): void {
    if (this.details.open) fillTable(this.table, this.drawing, this.frame.times_s, this.frame.step_s);
  }
}

/** At the live edge the newest bucket may have no figure yet; older than that is not "now". */
function lastKnown(values: (number | null)[]): number {
  const last = values.length - 1;
  return (values[last] ?? null) === null ? last - 1 : last;
}

function captionOf(title: string, ...rest: HTMLElement[]): HTMLElement {
  const caption = document.createElement("figcaption");
  const heading = document.createElement("h3");
  heading.textContent = title;
  caption.append(heading, ...rest);
  return caption;
}

function tableBox(title: string, table: HTMLTableElement, onOpen: () => void): HTMLDetailsElement {
  const details = document.createElement("details");
  const word = document.createElement("summary");
  word.textContent = "As a table";
  const frame = part("div", "framed scroll");
  frame.tabIndex = 0;
  frame.role = "group";
  frame.ariaLabel = `${title} as a table`;
  frame.append(table);
  details.append(word, frame);
  details.addEventListener("toggle", onOpen);
  return details;
}

function part(tag: string, className: string): HTMLElement {
  const element = document.createElement(tag);
  if (className) element.className = className;
  return element;
}
