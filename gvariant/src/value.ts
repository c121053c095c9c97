/** The two wrappers that JavaScript has no value of its own for, and the typing of values by type string. */
import type { GVariantArray } from './array.ts';

/** A value of type `v`: any value together with its type string. `encode` takes plain `{ type, value }` objects too. */
export class Variant<Value = unknown> {
  readonly type: string;
  readonly value: Value;

  constructor(type: string, value: Value) {
    this.type = type;
    this.value = value;
  }
}

/**
 * "There is a value" of a maybe whose child is itself a maybe. A maybe is otherwise null or the bare value; with a
 * maybe inside, null alone could not tell `nothing` from `just nothing`: of type `mmi` these are `null`,
 * `new Just(null)` and `new Just(5)`.
 */
export class Just<Value = unknown> {
  readonly value: Value;

  constructor(value: Value) {
    this.value = value;
  }
}

interface Letters {
  b: boolean;
  y: number;
  n: number;
  q: number;
  i: number;
  u: number;
  h: number;
  x: bigint;
  t: bigint;
  d: number;
  s: string;
  o: string;
  g: string;
}

type Numeric = 'b' | 'n' | 'q' | 'i' | 'u' | 'h' | 'x' | 't' | 'd';

/** One complete type at the start of `Text`: [decoded value, encodable value, rest of the text], or null. */
type Scan<Text extends string> = Text extends `${infer Letter}${infer Rest}`
  ? Letter extends keyof Letters
    ? [Letters[Letter], Letters[Letter], Rest]
    : Letter extends 'v'
      ? [Variant, { readonly type: string; readonly value: unknown }, Rest]
      : Letter extends 'a'
        ? ScanArray<Rest>
        : Letter extends 'm'
          ? ScanMaybe<Rest>
          : Letter extends '('
            ? ScanMembers<Rest, ')', [], []>
            : Letter extends '{'
              ? ScanMembers<Rest, '}', [], []>
              : null
  : null;

type ScanArray<Text extends string> = Text extends `y${infer Rest}`
  ? [Uint8Array, Uint8Array, Rest]
  : Scan<Text> extends [infer Out, infer In, infer Rest]
    ? [Text extends `${Numeric}${string}` ? Out[] : GVariantArray<Out>, Iterable<In>, Rest]
    : null;

type ScanMaybe<Text extends string> =
  Scan<Text> extends [infer Out, infer In, infer Rest]
    ? Text extends `m${string}`
      ? [Just<Out> | null, Just<In> | null, Rest]
      : [Out | null, In | null, Rest]
    : null;

type ScanMembers<
  Text extends string,
  Close extends string,
  Outs extends unknown[],
  Ins extends unknown[],
> = Text extends `${Close}${infer Rest}`
  ? [Outs, Readonly<Ins>, Rest]
  : Scan<Text> extends [infer Out, infer In, infer Rest extends string]
    ? ScanMembers<Rest, Close, [...Outs, Out], [...Ins, In]>
    : null;

/** The value that `decode` gives for a type string: `Decoded<'(sau)'>` is `[string, number[]]`. */
export type Decoded<Text extends string> = string extends Text
  ? unknown
  : Scan<Text> extends [infer Out, unknown, '']
    ? Out
    : never;

/** The values that `encode` takes for a type string; everything that `decode` gives is among them. */
export type Encodable<Text extends string> = string extends Text
  ? unknown
  : Scan<Text> extends [unknown, infer In, '']
    ? In
    : never;
