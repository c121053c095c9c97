/**
 * The C library of the running process, through koffi. Loading koffi costs some milliseconds, so it happens with the first
 * call, not with the import. Calls are synchronous: koffi's asynchronous calls lose `errno`.
 */
import { createRequire } from 'node:module';
import { EAGAIN, EINTR, SystemError } from './errno.ts';

type Koffi = typeof import('koffi');

let koffi: Koffi | undefined;
let libc: ReturnType<Koffi['load']> | undefined;

function load(): ReturnType<Koffi['load']> {
  koffi ??= createRequire(import.meta.url)('koffi') as Koffi;
  return (libc ??= koffi.load(null));
}

/** What a parameter of a C function takes. `intptr` stands for `ssize_t` and `long`. */
export type CType = 'int' | 'uint' | 'ulong' | 'intptr' | 'size_t' | 'const char *' | 'void *';

/** What may be passed: numbers, text (as UTF-8), bytes (as pointer to them), or null. */
export type CValue = number | bigint | string | Uint8Array | null;

let errno = 0;

/** What a failed call seems to say when the engine's own work (memory, locks) has replaced its `errno` before it could be read. */
const REPLACED: ReadonlySet<number> = new Set([0, EINTR, EAGAIN]);
const ATTEMPTS = 8;

/**
 * The C function `name`, bound at its first call. Variadic functions are declared with the types they are called with; that
 * is right for integers and pointers on x86-64 and arm64 Linux.
 */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- it types the parameters of the result
export function libcFunction<Args extends readonly CValue[]>(
  name: string,
  result: 'int' | 'intptr',
  parameters: readonly CType[],
  options: {
    /** A call that fails has done nothing, and not for EAGAIN: it is repeated when `errno` cannot be its own. */
    readonly repeatable?: boolean;
  } = {},
): (...args: Args) => number {
  let bound: ((...args: Args) => number) | undefined;
  const attempts = options.repeatable === true ? ATTEMPTS : 1;
  return (...args) => {
    bound ??= load().func(name, result === 'intptr' ? 'intptr_t' : result, parameters.map(koffiType)) as (
      ...args: Args
    ) => number;
    for (let attempt = 1; ; attempt++) {
      const value = bound(...args);
      if (value !== -1) return value;
      errno = koffi!.errno();
      if (attempt >= attempts || !REPLACED.has(errno)) return value;
    }
  };
}

function koffiType(type: CType): string {
  if (type === 'ulong') return 'unsigned long';
  if (type === 'uint') return 'unsigned int';
  return type === 'intptr' ? 'intptr_t' : type;
}

/** `errno` of the last call of one of these functions that failed. */
export function lastErrno(): number {
  return errno;
}

let strerrorCall: ((errno: number) => string) | undefined;

/** The C library's words for an `errno`, such as `No such file or directory`. */
export function strerror(number: number): string {
  strerrorCall ??= load().func('strerror', 'const char *', ['int']) as (errno: number) => string;
  return strerrorCall(number);
}

/** Gives `result` back unless it is -1, which throws what `errno` says. Call it on the result directly. */
export function check(result: number, syscall: string, path?: string): number {
  if (result === -1) throw new SystemError(lastErrno(), syscall, path);
  return result;
}

/** Bytes as C text: with a NUL behind them. Text becomes one byte per character (`latin1`) or UTF-8. */
export function cString(text: string | Uint8Array, encoding: 'utf8' | 'latin1' = 'utf8'): Uint8Array {
  if (typeof text === 'string') return Buffer.from(`${text}\0`, encoding);
  const bytes = new Uint8Array(text.length + 1);
  bytes.set(text);
  return bytes;
}
