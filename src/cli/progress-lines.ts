/** Progress for programs: one JSON object a line, as docs/progress.md and docs/progress.schema.json describe them. */
import { constants, fstatSync, openSync, writeSync } from 'node:fs';
import { hasCode } from '../../bytes/errors.ts';
import type { Progress } from '../progress.ts';
import { usageError } from './failure.ts';
import { escapeControls } from './output.ts';

/** One of several things that a command does one after the other, such as a ref to pull. */
export interface Task {
  readonly name: string;
  /** From 1 to `count`. */
  readonly number: number;
  readonly count: number;
}

/** So that a line, each character escaped by six, is written to a pipe as a whole or not at all (PIPE_BUF is 4096 bytes). */
const MAX_TEXT = 600;

/** The line of a report; `seconds` since the phase began. */
export function progressLine(progress: Progress, seconds: number): string {
  return line({ type: 'progress', ...progress, seconds: Number(seconds.toFixed(3)) });
}

export function noteLine(text: string): string {
  return line({ type: 'note', text: text.slice(0, MAX_TEXT) });
}

export function taskLine({ name, number, count }: Task): string {
  return line({ type: 'task', name: name.slice(0, MAX_TEXT), number, count });
}

function line(value: object): string {
  return `${escapeControls(JSON.stringify(value))}\n`;
}

/**
 * Where the lines of `--progress-fd N` go. Progress never holds up the work: what a slow reader's pipe does not take is dropped, and a
 * reader that has gone away is forgotten.
 * @throws CfsError USAGE unless that is an open descriptor.
 */
export function openProgressDescriptor(text: string): (line: string) => void {
  const fd = open(text);
  let gone = false;
  return (data) => {
    if (gone) return;
    try {
      writeSync(fd, data);
    } catch (error) {
      gone = !hasCode(error, 'EAGAIN');
    }
  };
}

function open(text: string): number {
  const number = /^\d{1,6}$/.test(text) ? Number(text) : -1;
  const { O_WRONLY, O_APPEND, O_NONBLOCK } = constants;
  try {
    // Opened anew it waits for nobody, without changing how the others who hold the same pipe use it.
    return openSync(`/proc/self/fd/${number}`, O_WRONLY | O_APPEND | O_NONBLOCK);
  } catch (error) {
    // A socket cannot be opened again, as little as what Node itself has open.
    if (hasCode(error, 'ENXIO') && fstatSync(number).isSocket()) return number;
    throw usageError(`--progress-fd ${text}: that is no descriptor that is open for writing`);
  }
}
