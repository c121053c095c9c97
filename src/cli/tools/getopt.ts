/**
 * Command lines as `getopt_long` of glibc reads them, and with it the composefs C tools: options may follow operands, long
 * names may be abbreviated, values come behind `=` or as the next argument, `--` ends the options. Messages are glibc's.
 */

/** Names of options, and whether each takes a value: long ones without dashes, short ones are a single letter. */
export type OptionTable = Readonly<Record<string, 'flag' | 'value'>>;

export interface ParsedOption<Name extends string> {
  readonly name: Name;
  /** Undefined for a flag. */
  readonly value: string | undefined;
}

export interface CommandLine<Name extends string> {
  /** In the order of the command line; up to the problem if there is one. */
  readonly options: readonly ParsedOption<Name>[];
  readonly operands: readonly string[];
  /** What stopped the parser; C programs print the program's name and `: ` in front of the message. */
  readonly problem: { readonly kind: 'unknown' | 'no value'; readonly message: string } | undefined;
}

class Problem {
  readonly kind: 'unknown' | 'no value';
  readonly message: string;

  constructor(kind: 'unknown' | 'no value', message: string) {
    this.kind = kind;
    this.message = message;
  }
}

/** Parses what follows the name of the program. */
export function parseCommandLine<Table extends OptionTable>(
  args: readonly string[],
  table: Table,
): CommandLine<keyof Table & string> {
  type Name = keyof Table & string;
  const options: ParsedOption<Name>[] = [];
  const operands: string[] = [];
  let problem: Problem | undefined;
  let at = 0;
  const next = (): string | undefined => args[at++];

  for (let arg = next(); arg !== undefined && problem === undefined; arg = next()) {
    if (arg === '--') {
      operands.push(...args.slice(at));
      break;
    }
    if (!arg.startsWith('-') || arg === '-') {
      operands.push(arg);
      continue;
    }
    const parsed: readonly (ParsedOption<Name> | Problem)[] = arg.startsWith('--')
      ? [longOption(arg, table, next)]
      : shortOptions(arg, table, next);
    for (const each of parsed) {
      if (each instanceof Problem) problem = each;
      else options.push(each);
    }
  }
  return { options, operands, problem };
}

type Next = () => string | undefined;

function longOption(arg: string, table: OptionTable, next: Next): ParsedOption<string> | Problem {
  const equals = arg.indexOf('=');
  const given = arg.slice(2, equals < 0 ? undefined : equals);
  const long = Object.keys(table).filter((name) => name.length > 1);
  const fitting = long.includes(given) ? [given] : long.filter((name) => name.startsWith(given));
  const [name] = fitting;
  if (name === undefined) return new Problem('unknown', `unrecognized option '${arg}'`);
  if (fitting.length > 1) {
    const names = fitting.map((each) => ` '--${each}'`).join('');
    return new Problem('unknown', `option '${arg}' is ambiguous; possibilities:${names}`);
  }
  const inline = equals < 0 ? undefined : arg.slice(equals + 1);
  if (table[name] === 'flag') {
    if (inline !== undefined) return new Problem('unknown', `option '--${name}' doesn't allow an argument`);
    return { name, value: undefined };
  }
  const value = inline ?? next();
  return value === undefined ? new Problem('no value', `option '--${name}' requires an argument`) : { name, value };
}

/** One letter after another; the rest of the argument, or the next one, is the value of the first that takes one. */
function shortOptions(arg: string, table: OptionTable, next: Next): (ParsedOption<string> | Problem)[] {
  const found: (ParsedOption<string> | Problem)[] = [];
  for (let i = 1; i < arg.length; i++) {
    const name = arg.charAt(i);
    if (!Object.hasOwn(table, name)) {
      found.push(new Problem('unknown', `invalid option -- '${name}'`));
      break;
    }
    if (table[name] === 'flag') {
      found.push({ name, value: undefined });
      continue;
    }
    const value = i + 1 < arg.length ? arg.slice(i + 1) : next();
    found.push(
      value === undefined ? new Problem('no value', `option requires an argument -- '${name}'`) : { name, value },
    );
    break;
  }
  return found;
}
