/** The benchmarks' result as text. */
import { type Cost, medianCost } from './measure.ts';

export interface Row {
  /** Of the case. */
  readonly name: string;
  readonly program: string;
  /** One for each run. */
  readonly costs: readonly Cost[];
}

/** One line a row with medians; behind those of other programs, cfs as a part of them (0.5: cfs needs half as much); "-" where that is too little to tell. */
export function formatRows(rows: readonly Row[]): string {
  const header = ['case', 'program', 'wall s', 'CPU s', 'peak MiB', 'cfs: wall', 'CPU', 'memory'];
  const lines = rows.map((row) => {
    const cost = medianCost(row.costs);
    const figures = [cost.wall.toFixed(3), cost.cpu.toFixed(2), cost.memory.toFixed(0)];
    const own = rows.find((other) => other.name === row.name && other.program === 'cfs');
    if (own === undefined || own === row) return [row.name, row.program, ...figures];
    const ours = medianCost(own.costs);
    const part = (figure: keyof Cost): string => (ours[figure] / cost[figure]).toFixed(2);
    return [row.name, row.program, ...figures, part('wall'), cost.cpu < 0.05 ? '-' : part('cpu'), part('memory')];
  });
  const table = [header, ...lines];
  const widths = header.map((_, column) => Math.max(...table.map((line) => line[column]?.length ?? 0)));
  const pad = (cell: string, column: number): string =>
    column < 2 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0);
  return table.map((line) => line.map(pad).join('  ').trimEnd()).join('\n');
}
