/** bench/growth.svg: one small panel for each series, sizes on a logarithmic axis, values from nought. */
import type { Series } from './measure.js';
import { formatNumber, formatSize } from './report.js';

const panel = { width: 260, height: 150 };
const margin = { left: 34, right: 20, top: 34, bottom: 34 };

export function renderChart(series: readonly Series[]): string {
  const panels = series.map(
    (one, index) => `<g transform="translate(${index * panel.width} 0)">${renderPanel(one)}</g>`,
  );
  const width = series.length * panel.width;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${panel.height}" viewBox="0 0 ${width} ${panel.height}" font-family="sans-serif" font-size="10">`,
    `<rect width="${width}" height="${panel.height}" fill="#fff"/>`,
    ...panels,
    '</svg>',
    '',
  ].join('\n');
}

function renderPanel({ title, sizes, unit, points }: Series): string {
  const top = Math.max(...points.map(({ value }) => value)) * 1.25;
  const logs = points.map(({ size }) => Math.log10(size));
  const [first = 0, last = 1] = [logs[0], logs.at(-1)];
  const inner = {
    width: panel.width - margin.left - margin.right,
    height: panel.height - margin.top - margin.bottom,
  };
  const floor = margin.top + inner.height;
  const dots = points.map(({ size, value }, index) => ({
    x: round(margin.left + (((logs[index] ?? first) - first) / (last - first)) * inner.width),
    y: round(floor - (value / top) * inner.height),
    size,
    value,
  }));
  return [
    `<text x="${margin.left}" y="14" font-weight="bold">${title}</text>`,
    `<text x="${margin.left}" y="26" fill="#666">${unit}, by ${sizes}</text>`,
    `<path d="M${margin.left} ${margin.top}V${floor}H${panel.width - margin.right}" fill="none" stroke="#999"/>`,
    `<polyline points="${dots.map(({ x, y }) => `${x},${y}`).join(' ')}" fill="none" stroke="#0a6" stroke-width="2"/>`,
    ...dots.map(
      ({ x, y, size, value }) =>
        `<circle cx="${x}" cy="${y}" r="3" fill="#0a6"/>` +
        `<text x="${x}" y="${round(y - 7)}" text-anchor="middle">${formatNumber(value)}</text>` +
        `<text x="${x}" y="${floor + 14}" text-anchor="middle" fill="#666">${formatSize(size)}</text>`,
    ),
  ].join('\n');
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
