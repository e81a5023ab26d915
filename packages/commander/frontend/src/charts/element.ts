/**
 * `<history-charts>`: the charts of one page. The address says from when to when they are; figures come by one fetch
 * for each range, after the page is painted, and go on with what the page's socket brings into `#chart-now`.
 */
import { fetchHistory, firstFigure_s, type History } from "./answer";
import { fetchBands } from "./bands";
import { showBeside } from "./beside";
import { Board } from "./board";
import { figuresOf } from "./kinds";
import { localiseForm } from "./local";
import { type Now, parseNow } from "./now";
import { address, chosen, isShortened, lastOf, ofAddress, type Range, rangeText, stepText, USUAL, youngRange } from "./range";

const SPOOL_SENT_MS = 5_000;
const [POINTS_MIN, POINTS_MAX] = [200, 1200];

export class HistoryCharts extends HTMLElement {
  private range: Range = lastOf(USUAL, 0);
  /** What "reset zoom" goes back to. */
  private span = USUAL;
  /** The time of the first value, if it is later than the start of a range. */
  private first_s: number | undefined;
  private board: Board | undefined;
  private asked: AbortController | undefined;
  private again: ReturnType<typeof setTimeout> | undefined;
  private gone = new AbortController();

  connectedCallback(): void {
    const grid = this.querySelector<HTMLElement>(".chart-grid");
    if (!grid) return;
    this.gone = new AbortController();
    this.board = new Board(grid, {
      onZoom: (from_s, to_s) => this.go(chosen(from_s, to_s)),
      onEscape: () => this.range.span || this.reset(),
      onReading: (words) => this.tell(".reading", words),
    });
    this.look(ofAddress(new URLSearchParams(location.search), this.now_s()));
    this.listen();
    localiseForm(document.querySelector<HTMLFormElement>("form#range-form"));
    requestAnimationFrame(() => setTimeout(() => void this.load()));
  }

  disconnectedCallback(): void {
    this.gone.abort();
    this.asked?.abort();
    clearTimeout(this.again);
    this.board?.clear();
  }

  private listen(): void {
    const { signal } = this.gone;
    const sizes = new ResizeObserver(() => this.board?.resize());
    sizes.observe(this);
    const news = new MutationObserver(() => this.heard());
    const part = nowPart();
    if (part) news.observe(part, { attributes: true });
    signal.addEventListener("abort", () => {
      sizes.disconnect();
      news.disconnect();
    });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.board?.dye(), { signal });
    addEventListener("incidents", () => void this.loadBands(), { signal });
    addEventListener("beforeprint", () => this.dyeFor("light"), { signal });
    addEventListener("afterprint", () => this.dyeFor(""), { signal });
    addEventListener("popstate", (event) => this.wentBack(event), { capture: true, signal });
    this.addEventListener("click", (event) => this.clicked(event), { signal });
  }

  /** Draws the lines in the colours of this scheme: paper is white. */
  private dyeFor(scheme: string): void {
    document.documentElement.style.colorScheme = scheme;
    this.board?.dye();
  }

  /** The commander's clock: a viewer's may be wrong. */
  private now_s(): number {
    const rendered_s = Date.parse(this.dataset.asOf ?? "") / 1000;
    return Math.max(rendered_s + performance.now() / 1000, newest()?.at_s ?? 0);
  }

  private clicked(event: MouseEvent): void {
    if (event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey || !(event.target instanceof Element)) return;
    const link = event.target.closest<HTMLElement>("[data-range]");
    if (link) {
      event.preventDefault();
      this.go(lastOf(link.dataset.range ?? USUAL, this.now_s()));
    } else if (event.target.closest("[data-reset]")) this.reset();
  }

  private reset(): void {
    this.go(lastOf(this.span, this.now_s()));
  }

  /** Shows `range` and says so in the address: the back button comes back. */
  private go(range: Range): void {
    if (!history.state?.charts) history.replaceState({ ...history.state, charts: true }, "");
    history.pushState({ charts: true }, "", address(new URL(location.href), range));
    this.arrive(range);
  }

  /** `main.ts` would load the page again; here the figures are enough. */
  private wentBack(event: PopStateEvent): void {
    if (!event.state?.charts) return;
    event.stopImmediatePropagation();
    this.arrive(ofAddress(new URLSearchParams(location.search), this.now_s()));
  }

  private arrive(range: Range): void {
    this.look(range);
    this.board?.look(range);
    void this.load();
    if ("along" in this.dataset) void showBeside(this.gone.signal);
  }

  private look(range: Range): void {
    this.range = range;
    if (range.span) this.span = range.span;
    for (const link of this.querySelectorAll<HTMLElement>("[data-range]")) link.ariaCurrent = link.dataset.range === range.span ? "true" : null;
    const reset = this.querySelector<HTMLElement>("[data-reset]");
    if (reset) reset.hidden = range.span !== "";
    this.tellRange();
  }

  private tellRange(): void {
    const step_s = this.board?.step_s;
    const parts = [rangeText(this.range), isShortened(this.range) ? "no older figures" : "", step_s ? stepText(step_s) : ""];
    this.tell(".span", parts.filter(Boolean).join(" · "));
  }

  private tell(selector: string, words: string): void {
    const place = this.querySelector(selector);
    if (place) place.textContent = words;
  }

  private async load(): Promise<void> {
    clearTimeout(this.again);
    this.asked?.abort();
    const asked = (this.asked = new AbortController());
    this.ariaBusy = "true";
    try {
      await this.fetched(asked.signal);
    } catch (error) {
      if (asked.signal.aborted) return;
      this.say(error instanceof Error && !(error instanceof TypeError) ? error.message : "The commander did not answer. Choose a range to try again.");
    }
    this.ariaBusy = null;
  }

  private async fetched(signal: AbortSignal): Promise<void> {
    const ids = (this.dataset.figures ?? "").split(",");
    const answer = await this.history(figuresOf(ids), signal);
    void this.loadBands();
    const { range } = this;
    const devices = JSON.parse(this.dataset.devices ?? "{}") as Record<string, string>;
    const any = this.board?.take(answer, range, newest(), { ids, devices, lines: (this.dataset.lines ?? "").split(",").filter(Boolean) });
    if (any) this.hidden = false;
    this.say(any ? "" : (this.dataset.empty ?? ""));
    this.tellRange();
  }

  /** Loads what was wrong in the range. Charts do without it if the commander does not answer. */
  private async loadBands(): Promise<void> {
    const { conditions } = this.dataset;
    if (!conditions) return;
    const { range } = this;
    const bands = await fetchBands(conditions, range, this.gone.signal).catch(() => []);
    if (range === this.range) this.board?.mark(bands);
  }

  /** Loads the history of the range. A range that begins before all history is shortened to it. */
  private async history(figures: string[], signal: AbortSignal): Promise<History> {
    const points = Math.max(POINTS_MIN, Math.min(POINTS_MAX, Math.round(this.clientWidth)));
    const asked = { address: this.dataset.history ?? "", points, figures };
    this.range = youngRange(this.range, this.born_s(), this.first_s) ?? this.range;
    const answer = await fetchHistory({ ...this.range, ...asked }, signal);
    const young = youngRange(this.range, this.born_s(), firstFigure_s(answer));
    if (!young || this.first_s !== undefined) return answer;
    this.first_s = firstFigure_s(answer);
    this.range = young;
    return fetchHistory({ ...young, ...asked }, signal);
  }

  /** The time at which the rig was added; null if unknown. */
  private born_s(): number | null {
    const born_s = Date.parse(this.dataset.born ?? "") / 1000;
    return Number.isNaN(born_s) ? null : born_s;
  }

  private say(words: string): void {
    this.tell(".note", words);
  }

  /** A log has come. A long silence before it means a spool, which is sent now: then all is asked for once again. */
  private heard(): void {
    const now = newest();
    if (!now || !this.board || (!this.range.span && now.at_s > this.range.to_s)) return;
    const taken = this.board.goOn(now, this.range.span !== "");
    if (taken === "new line") {
      this.hidden = false;
      this.say("");
    }
    if (taken !== "ask" && taken !== "ask later") return;
    clearTimeout(this.again);
    this.again = setTimeout(() => this.reload(), taken === "ask" ? 0 : SPOOL_SENT_MS);
  }

  private reload(): void {
    if (this.range.span) this.range = lastOf(this.range.span, this.now_s());
    this.first_s = undefined; // a spool may have brought older ones
    void this.load();
  }
}

function nowPart(): HTMLDataElement | null {
  return document.querySelector<HTMLDataElement>("data#chart-now");
}

function newest(): Now | null {
  return parseNow(nowPart()?.value ?? "");
}
