/** The colours of the style sheet, for a canvas: it knows no custom properties and no `light-dark()`. */

/** 0 is the whole rig, the others are its devices in turn; the style sheet has `--series-N` for each. */
const TINTS = 10;

export class Colours {
  muted = "";
  line = "";
  warn = "";
  warnFaint = "";
  badFaint = "";
  private tints: string[] = [];

  constructor(private readonly root: HTMLElement) {
    this.read();
  }

  /** Again, when the scheme has changed. */
  read(): void {
    const probe = document.createElement("span");
    this.root.append(probe);
    const style = getComputedStyle(probe);
    const colour = (name: string): string => {
      probe.style.color = `var(${name})`;
      return style.color;
    };
    [this.muted, this.line, this.warn] = [colour("--muted"), colour("--line"), colour("--warn")];
    [this.warnFaint, this.badFaint] = [paled(this.warn), paled(colour("--bad"))];
    this.tints = Array.from({ length: TINTS }, (_, tint) => colour(`--series-${tint}`));
    probe.remove();
  }

  of(tint: number): string {
    return this.tints[wrapped(tint)] ?? this.muted;
  }

  faint(tint: number): string {
    return paled(this.of(tint));
  }
}

function paled(colour: string): string {
  return colour.replace(/\)$/, " / 0.18)");
}

/** The ninth card has the first one's colour again. */
export function wrapped(tint: number): number {
  return tint === 0 ? 0 : 1 + ((tint - 1) % (TINTS - 1));
}
