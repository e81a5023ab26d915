/** One chart on its canvas. What belongs to people who use no mouse stands around it, see `chart.ts`. */
import uPlot from "uplot";
import { dayText, minuteText, monthText, secondText, TWELVE_HOURS, zoneText } from "../clock";
import type { Value } from "./answer";
import type { Drawing, Line } from "./kinds";
import type { Colours } from "./colours";
import type { Frame } from "./frame";
import { axisTexts } from "./units";

const AXIS_FONT = '12px system-ui, -apple-system, "Segoe UI", "Noto Sans", sans-serif';
/** Lines whose bands lie over each other show nothing. */
const BANDS_MAX = 2;
export const CURSORS_IN_STEP = "history";

/** Is called when people use a plot, and when it is drawn. */
export interface PlotListener {
  onZoom(from_s: number, to_s: number): void;
  onRead(): void;
  onDrawn(): void;
  /** The canvas is empty: what is drawn now lies behind the lines. */
  onCleared(): void;
}

export function data(drawing: Drawing, times_s: number[]): uPlot.AlignedData {
  const lines = drawing.lines.map(({ series }) => series);
  const bands = drawing.steps ? [] : lines.flatMap(({ max, min }) => [max, min]);
  return [times_s, ...lines.map(({ mean }) => mean), ...bands];
}

/** A chart of `drawing`; it looks at `frame` whenever it is drawn, so that the window can move on. */
export function plot(drawing: Drawing, frame: Frame, place: HTMLElement, listener: PlotListener): uPlot {
  const { colours } = frame;
  const options: uPlot.Options = {
    width: place.clientWidth,
    height: place.clientHeight,
    padding: [14, 24, 0, 4], // on the right there is room for half of the last date
    legend: { show: false },
    focus: { alpha: 0.25 },
    cursor: cursor(),
    scales: { x: { time: true, range: () => [frame.from_s, frame.to_s] }, y: { range: yRange(drawing.fromZero) } },
    axes: axes(drawing, colours),
    series: [{}, ...drawing.lines.map((line) => lineSeries(line, drawing.steps, frame)), ...bandSeries(drawing, frame)],
    bands: bands(drawing, colours),
    hooks: { setSelect: [(self) => selected(self, listener)], setCursor: [() => listener.onRead()], draw: [() => listener.onDrawn()], drawClear: [() => listener.onCleared()] },
  };
  return new uPlot(options, data(drawing, frame.times_s), place);
}

export function showLines(self: uPlot, drawing: Drawing): void {
  self.batch(() => {
    const banded = withBand(drawing);
    drawing.lines.forEach((line, at) => {
      show(self, 1 + at, line.shown);
      if (drawing.steps) return;
      const band = 1 + drawing.lines.length + 2 * at;
      for (const edge of [band, band + 1]) show(self, edge, banded.has(line));
    });
  });
}

function show(self: uPlot, at: number, shown: boolean): void {
  if (self.series[at]?.show !== shown) self.setSeries(at, { show: shown });
}

function withBand(drawing: Drawing): Set<Line> {
  const lines = drawing.lines.filter(({ shown }) => shown);
  return new Set(lines.length <= BANDS_MAX ? lines : []);
}

function cursor(): uPlot.Cursor {
  return {
    y: false,
    // One chart is dragged over; if the others were too, each would zoom by itself.
    sync: { key: CURSORS_IN_STEP, setSeries: false, filters: { pub: (type) => type === "mousemove" || type === "mouseleave", sub: () => true } },
    drag: { x: true, y: false, setScale: false, dist: 5 },
    points: { size: 7 },
  };
}

function selected(self: uPlot, listener: PlotListener): void {
  const { left, width } = self.select;
  if (width < 1) return;
  const [from_s, to_s] = [self.posToVal(left, "x"), self.posToVal(left + width, "x")];
  self.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
  listener.onZoom(from_s, to_s);
}

function yRange(fromZero: boolean): uPlot.Range.Function {
  return (_self, min, max) => {
    if (min === null || max === null) return [0, 1];
    if (fromZero) return [0, max > 0 ? max * 1.08 : 1];
    const room = Math.max((max - min) * 0.12, Math.abs(max) * 0.01, 0.5);
    return [min - room, max + room];
  };
}

function axes(drawing: Drawing, colours: Colours): uPlot.Axis[] {
  const look: uPlot.Axis = {
    font: AXIS_FONT,
    stroke: () => colours.muted,
    grid: { stroke: () => colours.line, width: 1 },
    ticks: { stroke: () => colours.line, width: 1, size: 4 },
  };
  return [
    { ...look, size: 38, space: TWELVE_HOURS ? 84 : 64, values: (_self, splits) => timeTexts(splits) },
    { ...look, size: 76, space: 34, values: (_self, splits) => axisTexts(splits, drawing.unit), ...(drawing.unit.counts ? { incrs: WHOLE } : {}) },
  ];
}

/** There is no half share and no half rig. */
const WHOLE = [1, 2, 5].flatMap((digit) => Array.from({ length: 8 }, (_, power) => digit * 10 ** power)).sort((one, other) => one - other);

/** Local times; the day stands below where it changes, and the zone below the first. */
export function timeTexts(splits: number[]): string[] {
  const moments = splits.map((split) => new Date(split * 1000));
  const step_s = (splits[1] ?? 0) - (splits[0] ?? 0);
  if (step_s >= 27 * 86_400) return moments.map((moment) => monthText(moment).replace(" ", "\n"));
  if (step_s >= 86_400) return moments.map(dayText);
  const clock = step_s < 60 ? secondText : minuteText;
  return moments.map((moment, at) => {
    const date = dayText(moment);
    const before = moments[at - 1];
    if (before === undefined) return `${clock(moment)}\n${zoneText(moment)}`;
    return dayText(before) === date ? clock(moment) : `${clock(moment)}\n${date}`;
  });
}

function lineSeries({ shown, tint, dashed, series }: Line, steps: boolean, frame: Frame): uPlot.Series {
  const { colours } = frame;
  const colour = () => colours.of(tint);
  const width = series.device === null ? 1.75 : 1.25;
  const look: uPlot.Series = { show: shown, stroke: colour, width, gaps: longGaps(frame), points: { size: 4, fill: colour, filter: lonely(frame) } };
  const stepped = steps && uPlot.paths.stepped?.({ align: 1 });
  if (stepped) return { ...look, fill: () => colours.faint(tint), paths: stepped };
  return dashed ? { ...look, dash: [6, 4] } : look;
}

/** uPlot hands over every hole; those that are shorter than a rig may be silent are bridged. */
function longGaps(frame: Frame): uPlot.Series.GapsRefiner {
  return (self, _series, _from, _to, nulls) => {
    const short = self.valToPos(frame.silence_s, "x", true) - self.valToPos(0, "x", true);
    return nulls.filter(([from, to]) => to - from > short);
  };
}

/** Dots only where a line can't show: a figure between two gaps. */
function lonely(frame: Frame): uPlot.Series.Points.Filter {
  return (self, at, showAll) => {
    if (showAll) return null;
    const [from, to] = self.series[at]?.idxs ?? [0, 0];
    return aloneIn(self.data[at] as Value[], self.data[0], from, to, frame.silence_s);
  };
}

export function aloneIn(values: Value[], times_s: ArrayLike<number>, from: number, to: number, silence_s: number): number[] {
  const known: number[] = [];
  for (let index = from; index <= to; index++) if ((values[index] ?? null) !== null) known.push(index);
  const apart = (one: number | undefined, other: number | undefined) =>
    one === undefined || other === undefined || Math.abs((times_s[one] ?? 0) - (times_s[other] ?? 0)) > silence_s;
  return known.filter((index, at) => apart(index, known[at - 1]) && apart(index, known[at + 1]));
}

function bandSeries(drawing: Drawing, frame: Frame): uPlot.Series[] {
  if (drawing.steps) return [];
  const banded = withBand(drawing);
  return drawing.lines.flatMap((line) => {
    const edge: uPlot.Series = { show: banded.has(line), width: 0, stroke: "transparent", points: { show: false }, gaps: longGaps(frame) };
    return [edge, { ...edge }];
  });
}

function bands(drawing: Drawing, colours: Colours): uPlot.Band[] {
  if (drawing.steps) return [];
  const first = 1 + drawing.lines.length;
  return drawing.lines.map((line, at) => ({
    series: [first + 2 * at, first + 2 * at + 1],
    fill: () => colours.faint(line.tint),
  }));
}
