/** Which figures stand together on one chart, and how their lines are called. */
import { type History, type Key, keyText, type Series } from "./answer";
import type { Unit } from "./units";

/** A chart as the commander describes it: see `rig_pages/chart_kinds.py`. */
interface Kind {
  /** As in the page's address and in `data-chart`. */
  id: string;
  title: string;
  /** Figure, and the word that distinguishes its lines from the others' on the same chart. */
  figures: Record<string, string>;
  unit: Unit;
  /** The name of the whole rig's line. */
  whole: string;
  /** What devices add up to is shown as a sum; else each device is shown. */
  adds: boolean;
  fromZero: boolean;
  /** Counted in each bucket, not measured at a moment. */
  steps: boolean;
  /** Figures of different coins stand on charts of their own: megahashes would hide kilohashes. */
  split: boolean;
}

const KINDS = JSON.parse(document.querySelector<HTMLDataElement>("data#chart-kinds")?.value || "[]") as Kind[];

/** These only grow, until their source starts again from zero. */
export const COUNTERS = new Set(KINDS.filter(({ steps }) => steps).flatMap(({ figures }) => Object.keys(figures)));

export interface Line {
  key: string;
  label: string;
  /** Says all: the card's name and address. */
  about: string;
  series: Series;
  shown: boolean;
  /** Its colour: a device has the same on all charts. */
  tint: number;
  /** Two figures of one device on one chart. */
  dashed: boolean;
}

export interface Drawing {
  id: string;
  title: string;
  unit: Unit;
  fromZero: boolean;
  steps: boolean;
  lines: Line[];
}

export function figuresOf(ids: string[]): string[] {
  return KINDS.filter(({ id }) => ids.includes(id)).flatMap(({ figures }) => Object.keys(figures));
}

/** Which charts, what each device is called, and whose lines are shown at first (none: the usual ones). */
export interface Wanted {
  ids: string[];
  devices: Record<string, string>;
  lines: string[];
}

const WHOLE = "total";

/** The charts that `history` has figures for, in their order. */
export function drawings(history: History, wanted: Wanted): Drawing[] {
  const { ids } = wanted;
  const order = deviceOrder(history);
  return KINDS.filter(({ id }) => ids.includes(id)).flatMap((kind) => {
    const measured = history.series.filter((one) => one.figure in kind.figures && one.mean.some((value) => value !== null));
    if (!kind.split) return measured.length ? [drawing(kind, "", measured, wanted, order)] : [];
    const works = [...new Set(measured.map(workOf))].sort();
    return works.map((work) => drawing(kind, work, measured.filter((one) => workOf(one) === work), wanted, order));
  });
}

function workOf({ coin, algorithm }: Key): string {
  return coin ?? algorithm ?? "";
}

function deviceOrder(history: History): string[] {
  const devices = new Set(history.series.flatMap(({ device }) => (device === null ? [] : [device])));
  return [...devices].sort((one, other) => rank(one) - rank(other) || (one < other ? -1 : 1));
}

function drawing(kind: Kind, work: string, measured: Series[], { devices, lines: chosen }: Wanted, order: string[]): Drawing {
  const wholes = measured.filter(({ device }) => device === null);
  const sums = kind.adds ? wholes.length > 0 : wholes.length === measured.length;
  const lines = measured.map((series) => ({
    key: keyText(series),
    label: label(kind, series, wholes),
    about: devices[series.device ?? ""] ?? label(kind, series, wholes),
    series,
    shown: chosen.length ? chosen.includes(series.device ?? WHOLE) : (series.device === null) === sums,
    tint: series.device === null ? wholes.indexOf(series) : 1 + order.indexOf(series.device),
    dashed: series.device !== null && Object.keys(kind.figures).indexOf(series.figure) > 1,
  }));
  lines.sort((one, other) => order.indexOf(one.series.device ?? "") - order.indexOf(other.series.device ?? ""));
  const { id, title, unit, fromZero, steps } = kind;
  return { id: work ? `${id}-${work}` : id, title: work ? `${title}, ${work}` : title, unit, fromZero, steps, lines };
}

/** The CPU before the cards. */
function rank(device: string): number {
  return device === "cpu" ? 0 : 1;
}

function label(kind: Kind, series: Series, wholes: Series[]): string {
  const word = kind.figures[series.figure] ?? "";
  const alike = wholes.filter(({ figure }) => figure === series.figure);
  const work = new Set(alike.map(workOf)).size > 1 ? workOf(series) : alike.length > 1 ? (series.algorithm ?? "") : "";
  const name = series.device === null ? work : deviceLabel(series.device);
  return capital([name, word].filter(Boolean).join(", ") || kind.whole);
}

/** "GPU 03:00" for 0000:03:00.0: short, and what the system calls the card; "Board 1" for board1. */
export function deviceLabel(device: string): string {
  const card = /^(?:0000:)?(?<place>.+?)(?:\.0)?$/.exec(device)?.groups?.place;
  if (device === "cpu") return "CPU";
  if (device.includes(":")) return `GPU ${card ?? device}`;
  return capital(device.replace(/(?<=[a-z])(?=\d)/, " ")).replace(/^Gpu/, "GPU");
}

function capital(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1);
}
