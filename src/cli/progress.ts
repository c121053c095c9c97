/**
 * Progress on stderr: one line that rewrites itself on a terminal, a plain line now and then where stderr is piped, or JSON lines for
 * programs, which a descriptor of their own can get besides.
 */
import type { OnProgress, Progress } from '../progress.ts';
import { printable, printableLines } from './output.ts';
import { noteLine, progressLine, taskLine, type Task } from './progress-lines.ts';

export type ProgressForm = 'auto' | 'plain' | 'json' | 'none';

/** Milliseconds between two reports. */
const interval = { terminal: 100, json: 200, plain: 5000 };

const verbs: Readonly<Record<Progress['phase'], string>> = {
  index: 'Indexing stored commits',
  fetch: 'Fetching with libostree',
  metadata: 'Reading metadata',
  content: 'Storing files',
  image: 'Building image',
  sync: 'Writing to disk',
  objects: 'Checking objects',
  streams: 'Checking streams',
  images: 'Checking images',
  delta: 'Making delta',
  'delta parts': 'Receiving delta parts',
};

/** 1536 → `1.5 KiB`. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let unit = 0;
  let value = bytes;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}

/** 75 → `1:15`. */
export function formatSeconds(seconds: number): string {
  const whole = Math.ceil(seconds);
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor((whole % 3600) / 60);
  const rest = String(whole % 60).padStart(2, '0');
  return hours > 0 ? `${hours}:${String(minutes).padStart(2, '0')}:${rest}` : `${minutes}:${rest}`;
}

/** One report as text; `seconds` since the phase began. The time left goes by bytes where all of them are known. */
export function describeProgress(progress: Progress, seconds: number): string {
  const { phase, done, total, bytes, bytesTotal } = progress;
  const parts = [`${verbs[phase]}:`];
  if (total !== undefined && total > 0) parts.push(`${Math.floor((100 * done) / total)}%`, `(${done}/${total})`);
  else if (done > 0) parts.push(String(done));
  if (bytes !== undefined && bytes > 0) {
    parts.push(bytesTotal === undefined ? formatBytes(bytes) : `${formatBytes(bytes)} of ${formatBytes(bytesTotal)}`);
    if (seconds >= 0.5) parts.push(`${formatBytes(Math.round(bytes / seconds))}/s`);
  }
  const share = bytes !== undefined && bytesTotal !== undefined ? bytes / bytesTotal : done / (total ?? 0);
  if (share > 0 && share < 1 && seconds >= 1) parts.push(`${formatSeconds((seconds / share) * (1 - share))} left`);
  return parts.join(' ');
}

export interface ProgressOutput {
  readonly onProgress: OnProgress;
  /** Says something beside the progress. */
  readonly note: (text: string) => void;
  /** Says that one of several things is begun. */
  readonly task: (task: Task) => void;
  /** Clears the line; call it before anything else is written to the terminal. */
  readonly end: () => void;
}

type Stream = Pick<NodeJS.WriteStream, 'write' | 'isTTY' | 'columns'>;

/** Some terminals, such as serial lines, do not tell. */
function width({ columns }: Stream): number {
  return columns > 1 ? columns : 80;
}

/** @param lines takes JSON lines besides, whatever `form` and `quiet` say. */
export function progressOutput(
  form: ProgressForm,
  quiet: boolean,
  stream: Stream = process.stderr,
  lines?: (line: string) => void,
): ProgressOutput {
  const outputs = [streamOutput(form, quiet, stream), ...(lines === undefined ? [] : [linesOutput(lines)])];
  return {
    onProgress: (progress) => outputs.forEach((output) => output.onProgress(progress)),
    note: (text) => outputs.forEach((output) => output.note(text)),
    task: (task) => outputs.forEach((output) => output.task(task)),
    end: () => outputs.forEach((output) => output.end()),
  };
}

function streamOutput(form: ProgressForm, quiet: boolean, stream: Stream): ProgressOutput {
  const silent = form === 'none' || quiet;
  if (form === 'json') {
    const lines = linesOutput((line) => void stream.write(line));
    return quiet ? { ...lines, onProgress: () => undefined, note: () => undefined, task: () => undefined } : lines;
  }
  const terminal = form === 'auto' && stream.isTTY && process.env['TERM'] !== 'dumb';
  let drawn = false;
  const clear = (): void => {
    if (drawn) stream.write('\r\u001b[K');
    drawn = false;
  };
  const report = (progress: Progress, seconds: number): void => {
    const text = describeProgress(progress, seconds);
    if (terminal) stream.write(`\r\u001b[K${text.slice(0, width(stream) - 1)}`);
    else stream.write(`${text}\n`);
    drawn = terminal;
  };
  const note = (text: string): void => {
    if (quiet) return;
    clear();
    stream.write(`${printableLines(text)}\n`);
  };
  return {
    onProgress: silent ? () => undefined : paced(terminal ? 'terminal' : 'plain', report),
    note,
    task: ({ name, number, count }) => note(`${printable(name)} (${number} of ${count})`),
    end: clear,
  };
}

function linesOutput(write: (line: string) => void): ProgressOutput {
  return {
    onProgress: paced('json', (progress, seconds) => write(progressLine(progress, seconds))),
    note: (text) => write(noteLine(text)),
    task: (task) => write(taskLine(task)),
    end: () => undefined,
  };
}

/** Lets reports through as often as the form wants them: also the first of a phase, and for programs the last. */
function paced(form: keyof typeof interval, report: (progress: Progress, seconds: number) => void): OnProgress {
  let phase: Progress['phase'] | undefined;
  let begun = 0;
  let reported = 0;
  return (progress) => {
    const now = performance.now();
    const changed = progress.phase !== phase;
    if (changed) {
      phase = progress.phase;
      begun = now;
      // Piped, a phase that ends within the pause says nothing.
      if (form === 'plain') reported = now;
    }
    const ended = form === 'json' && progress.done === progress.total;
    if (!(changed && form !== 'plain') && !ended && now - reported < interval[form]) return;
    reported = now;
    report(progress, (now - begun) / 1000);
  };
}
