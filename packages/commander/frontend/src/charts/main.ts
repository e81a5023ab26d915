/** What pages with charts load besides `main.ts`. */
import "uplot/dist/uPlot.min.css";
import "./charts.css";
import { HistoryCharts } from "./element";

customElements.define("history-charts", HistoryCharts);
