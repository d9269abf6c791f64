// Draws `<div data-chart="id">` from the JSON in `<script type="application/json" id="id">` (see charts.py).
// The payload carries data and structure; colours come from the tokens of the mode in use.
"use strict";
(() => {
  const WITHHELD = "—";
  const SYMBOLS = ["emptyCircle", "emptyRect", "emptyTriangle", "emptyDiamond"];
  const drawn = new Map();
  const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  const figures = new Intl.NumberFormat("en", { maximumFractionDigits: 2 }); // 12,345.67 in both languages
  const short = new Intl.NumberFormat(document.documentElement.lang, { notation: "compact", maximumFractionDigits: 1 });

  const theme = () => {
    const line = { lineStyle: { color: token("--line-strong") } };
    const axis = {
      axisLine: line,
      axisTick: line,
      axisLabel: { color: token("--ink-2"), fontSize: 12 },
      nameTextStyle: { color: token("--ink-2"), fontSize: 12 },
      splitLine: { lineStyle: { color: token("--line") } },
    };
    return {
      color: [1, 2, 3, 4, 5, 6, 7, 8].map((n) => token(`--series-${n}`)),
      backgroundColor: "transparent",
      textStyle: { fontFamily: token("--font"), color: token("--ink") },
      title: { textStyle: { color: token("--ink"), fontSize: 13, fontWeight: 700 } },
      legend: { textStyle: { color: token("--ink-2") }, pageTextStyle: { color: token("--ink-2") }, inactiveColor: token("--line-strong") },
      categoryAxis: { ...axis, splitLine: { show: false } },
      valueAxis: { ...axis, axisLine: { show: false }, axisTick: { show: false } },
      visualMap: { textStyle: { color: token("--ink-2") }, inRange: { color: [token("--heat-low"), token("--heat-high")] } },
      tooltip: {
        backgroundColor: token("--paper"),
        borderColor: token("--line-strong"),
        textStyle: { color: token("--ink"), fontSize: 13 },
        axisPointer: { lineStyle: { color: token("--line-strong") }, shadowStyle: { color: token("--hover") } },
      },
    };
  };

  // A withheld cell draws nothing; the mark stands where its bar or point would begin.
  const showWithheld = (option) => {
    const label = { show: true, formatter: WITHHELD, color: token("--ink-2"), fontWeight: 700 };
    const floorOf = (panel) =>
      Math.min(...option.series.filter((other) => other.xAxisIndex === panel).flatMap((other) => other.data.filter(Number.isFinite)));
    for (const [place, series] of option.series.entries()) {
      if (series.type === "bar") {
        const position = option.horizontal ? "right" : "top";
        series.data = series.data.map((value) => value ?? { value: 0, withheld: true, label: { ...label, position } });
      } else if (series.type === "line") {
        const names = option.xAxis[series.xAxisIndex].data;
        const floor = floorOf(series.xAxisIndex);
        const gaps = series.data.flatMap((value, index) => (value === null ? [{ coord: [names[index], floor] }] : []));
        const colour = token(`--series-${(place % 8) + 1}`);
        const aside = (place - (option.series.length - 1) / 2) * 10; // groups withheld at one place stand side by side
        series.symbol = SYMBOLS[place % SYMBOLS.length]; // tells groups apart without colour
        series.markPoint = { silent: true, symbolSize: 0.1, label: { ...label, color: colour, offset: [aside, -4] }, data: gaps.slice(0, 200) };
      }
    }
    const heat = option.series.find((series) => series.type === "heatmap");
    if (!heat) return;
    const gaps = heat.data.filter(([, , value]) => value === null).map(([column, line]) => [column, line]);
    option.series.push({ type: "scatter", silent: true, symbolSize: 0.1, label: { ...label, position: "inside" }, data: gaps });
    for (const scale of option.visualMap) {
      scale.seriesIndex = 0;
      scale.text = [figures.format(scale.max), figures.format(scale.min)];
    }
  };

  const valueText = (item) => {
    if (item.data?.withheld || item.value === null || item.value === undefined) return WITHHELD;
    if (Array.isArray(item.value)) return item.value[2] === null ? WITHHELD : figures.format(item.value[2]);
    return figures.format(item.value);
  };

  const finished = (payload) => {
    const option = structuredClone(payload.option);
    option.horizontal = payload.horizontal;
    showWithheld(option);
    delete option.horizontal;
    option.animation = !still.matches;
    option.animationDuration = 350;
    // "richText" draws the tooltip on the canvas: the HTML one needs inline styles, which the page's policy forbids
    option.tooltip = { ...option.tooltip, renderMode: "richText", confine: true };
    option.tooltip.formatter = (items) => {
      const list = [items].flat();
      const head = list[0].seriesType === "heatmap" ? list[0].name : list[0].axisValueLabel || list[0].name;
      return [head, ...list.map((item) => `${item.seriesName}  ${valueText(item)}`)].join("\n");
    };
    for (const axis of [option.xAxis, option.yAxis].flat()) {
      if (axis.type === "value") axis.axisLabel = { ...axis.axisLabel, formatter: (value) => short.format(value) };
    }
    for (const series of option.series) {
      if (series.type === "heatmap" && series.label?.show) series.label.formatter = valueText;
    }
    return option;
  };

  const draw = (place) => {
    const source = document.getElementById(place.dataset.chart);
    if (!source || !window.echarts) return;
    const payload = JSON.parse(source.textContent);
    drawn.get(place)?.dispose();
    place.style.height = `${payload.height}px`; // through the object model, which the policy allows
    const chart = echarts.init(place, theme(), { renderer: "canvas", locale: document.documentElement.lang.startsWith("zh") ? "ZH" : "EN" });
    chart.setOption(finished(payload));
    drawn.set(place, chart);
  };

  const watch = new ResizeObserver((entries) => {
    for (const entry of entries) drawn.get(entry.target)?.resize();
  });
  const begin = (root) => {
    for (const place of root.querySelectorAll("[data-chart]")) {
      draw(place);
      watch.observe(place);
    }
  };
  const redraw = () => {
    for (const place of drawn.keys()) {
      if (place.isConnected) draw(place);
      else drawn.delete(place);
    }
  };
  document.addEventListener("themechange", redraw);
  document.addEventListener("htmx:afterSwap", (event) => begin(event.target));
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", () => begin(document));
  else begin(document);
})();
