/** Figures as people read them, in the words of `protocol.units`: "11.3 MH/s", and whole on hover. */

export interface Unit {
  name: string;
  /** Takes decimal prefixes: H/s and W do, °C and % do not. */
  scales: boolean;
  digits: number;
  /** There are no halves, such as of shares. */
  counts: boolean;
}

const PREFIXES = ["", "k", "M", "G", "T", "P", "E"];
export const UNKNOWN = "–";

export function text(value: number | null | undefined, unit: Unit): string {
  if (value === null || value === undefined) return UNKNOWN;
  if (!unit.scales) return joined(plain(value, unit.digits), unit.name);
  const [factor, prefix] = prefixFor(value);
  return joined(threeDigits(value / factor), prefix + unit.name);
}

export function exact(value: number | null | undefined, unit: Unit): string {
  if (value === null || value === undefined) return "not known";
  return joined(value.toLocaleString("en", { maximumFractionDigits: 2 }), unit.name);
}

/** The labels of an axis: one prefix for all of them, and as many digits as tell them apart. */
export function axisTexts(values: number[], unit: Unit): string[] {
  const [factor, prefix] = unit.scales ? prefixFor(Math.max(...values.map(Math.abs))) : ([1, ""] as const);
  const step = values.length > 1 ? Math.abs((values[1] ?? 0) - (values[0] ?? 0)) / factor : 1;
  const digits = [0, 1, 2].find((few) => Math.abs(step * 10 ** few - Math.round(step * 10 ** few)) < 1e-6) ?? 3;
  return values.map((value) => joined(plain(value / factor, digits), prefix + unit.name));
}

function prefixFor(value: number): readonly [number, string] {
  let [factor, at] = [1, 0];
  while (Math.abs(value) / factor >= 999.5 && at < PREFIXES.length - 1) [factor, at] = [factor * 1000, at + 1];
  return [factor, PREFIXES[at] ?? ""];
}

function threeDigits(value: number): string {
  const size = Math.abs(value);
  if (size >= 99.95 || size === 0) return value.toFixed(0);
  return size >= 9.995 ? value.toFixed(1) : value.toFixed(2);
}

function plain(value: number, digits: number): string {
  const few = Math.abs(value) < 10 && value % 1 !== 0 ? Math.max(digits, 1) : digits;
  return value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: few });
}

function joined(number: string, unit: string): string {
  return unit ? `${number} ${unit}` : number;
}
