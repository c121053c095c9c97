/**
 * Progress on stderr: one line that rewrites itself on a terminal, a plain line now and then where stderr is piped, or a JSON
 * object per line for programs:
 *
 *     {"type":"progress","phase":"content","done":120,"total":348,"bytes":1048576,"seconds":0.4}
 *
 * `total` and `bytes` are absent where they are not known.
 */
import type { OnProgress, Progress } from '../progress.ts';
import { escapeControls, printableLines } from './output.ts';

export type ProgressForm = 'auto' | 'plain' | 'json' | 'none';

/** Milliseconds between two reports. */
const interval = { terminal: 100, json: 200, plain: 5000 };

const verbs: Readonly<Record<Progress['phase'], string>> = {
  metadata: 'Reading metadata',
  content: 'Storing files',
  image: 'Building image',
  sync: 'Writing to disk',
  objects: 'Checking objects',
  streams: 'Checking streams',
  images: 'Checking images',
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

/** One report as text; `seconds` since the phase began. */
export function describeProgress({ phase, done, total, bytes }: Progress, seconds: number): string {
  const parts = [`${verbs[phase]}:`];
  if (total !== undefined && total > 0) parts.push(`${Math.floor((100 * done) / total)}%`, `(${done}/${total})`);
  else if (done > 0) parts.push(String(done));
  if (bytes !== undefined && bytes > 0) {
    parts.push(formatBytes(bytes));
    if (seconds >= 0.5) parts.push(`${formatBytes(Math.round(bytes / seconds))}/s`);
  }
  if (total !== undefined && done > 0 && done < total && seconds >= 1) {
    parts.push(`${formatSeconds((seconds / done) * (total - done))} left`);
  }
  return parts.join(' ');
}

export interface ProgressOutput {
  readonly onProgress: OnProgress;
  /** Says something beside the progress. */
  readonly note: (text: string) => void;
  /** Clears the line; call it before anything else is written to the terminal. */
  readonly end: () => void;
}

/** Some terminals, such as serial lines, do not tell. */
function width({ columns }: Stream): number {
  return columns > 1 ? columns : 80;
}

type Stream = Pick<NodeJS.WriteStream, 'write' | 'isTTY' | 'columns'>;

export function progressOutput(form: ProgressForm, quiet: boolean, stream: Stream = process.stderr): ProgressOutput {
  const silent = form === 'none' || quiet;
  const json = form === 'json';
  const terminal = form === 'auto' && stream.isTTY && process.env['TERM'] !== 'dumb';
  const pause = json ? interval.json : terminal ? interval.terminal : interval.plain;
  let phase: Progress['phase'] | undefined;
  let begun = 0;
  let reported = 0;
  let drawn = false;

  const clear = (): void => {
    if (drawn) stream.write('\r\u001b[K');
    drawn = false;
  };
  const report = (progress: Progress, now: number): void => {
    reported = now;
    const seconds = (now - begun) / 1000;
    if (json) {
      stream.write(`${JSON.stringify({ type: 'progress', ...progress, seconds: Number(seconds.toFixed(3)) })}\n`);
    } else if (terminal) {
      stream.write(`\r\u001b[K${describeProgress(progress, seconds).slice(0, width(stream) - 1)}`);
      drawn = true;
    } else {
      stream.write(`${describeProgress(progress, seconds)}\n`);
    }
  };
  return {
    onProgress(progress) {
      if (silent) return;
      const now = performance.now();
      const changed = progress.phase !== phase;
      if (changed) {
        phase = progress.phase;
        begun = now;
        // Piped, a phase that ends within the pause says nothing.
        if (!json && !terminal) reported = now;
      }
      const ended = json && progress.done === progress.total;
      if ((changed && pause < interval.plain) || ended || now - reported >= pause) report(progress, now);
    },
    note(text) {
      if (quiet) return;
      clear();
      stream.write(json ? `${escapeControls(JSON.stringify({ type: 'note', text }))}\n` : `${printableLines(text)}\n`);
    },
    end: clear,
  };
}
