/** `cfs complete -- WORD…`: what the last word may become; asked by the scripts of `cfs completion`. */
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Argument, Command, Option } from 'commander';
import { listCommits } from '../commit/stored.ts';
import type { ObjectStore } from '../repository/objects.ts';
import { listRefs } from '../repository/refs.ts';
import type { LoadCommand } from './commands.ts';
import { action, examples, type Context } from './context.ts';
import { printable, writeJson, writeLine } from './output.ts';

export function define(command: Command, load: LoadCommand): void {
  command.argument('[word...]', 'words of a command line behind `cfs`, the last of them unfinished');
  examples(command, 'cfs complete -- ostree pul');
  action(command, async ({ json }: Context, words: readonly string[]) => {
    const { candidates, paths = false } = await complete(command.parent!, load, words);
    const fitting = candidates.filter(({ word }) => word.startsWith(words.at(-1) ?? ''));
    if (json) {
      writeJson({ paths, candidates: fitting });
      return;
    }
    writeLine(paths ? 'paths' : 'words');
    for (const { word, description = '' } of fitting) writeLine(`${printable(word)}\t${printable(description)}`);
  });
}

interface Candidate {
  readonly word: string;
  readonly description?: string | undefined;
}

interface Answer {
  readonly candidates: readonly Candidate[];
  /** Paths fit too. */
  readonly paths?: boolean;
}

async function complete(program: Command, load: LoadCommand, words: readonly string[]): Promise<Answer> {
  const last = words.at(-1) ?? '';
  const { command, used, waiting, repository } = await follow(program, load, words.slice(0, -1));
  if (waiting !== undefined) return values(waiting.argChoices, waiting.attributeName(), repository);
  const assigned = /^(--[^=]+)=/.exec(last);
  if (assigned !== null) {
    const option = findOption(command, assigned[1]!);
    if (option === undefined) return { candidates: [] };
    const { candidates, paths = false } = values(option.argChoices, option.attributeName(), repository);
    return {
      candidates: candidates.map(({ word, description }) => ({ word: assigned[0] + word, description })),
      paths,
    };
  }
  if (last.startsWith('-')) return { candidates: optionsOf(command).flatMap(optionCandidates) };
  if (command.commands.length > 0) {
    if (used > 0) return { candidates: [] };
    return { candidates: visible(command).map((each) => ({ word: each.name(), description: each.summary() })) };
  }
  const argument = argumentAt(command, used);
  return argument === undefined ? { candidates: [] } : values(argument.argChoices, argument.name(), repository);
}

interface Position {
  readonly command: Command;
  /** Arguments of the command that are there already. */
  readonly used: number;
  /** The option whose value is to come. */
  readonly waiting: Option | undefined;
  /** Path of the repository that the options name. */
  readonly repository: string;
}

async function follow(program: Command, load: LoadCommand, words: readonly string[]): Promise<Position> {
  let command = program;
  let used = 0;
  let waiting: Option | undefined;
  let repository = process.getuid?.() === 0 ? '/sysroot/composefs' : join(homedir(), '.var/lib/composefs');
  for (const word of words) {
    if (waiting !== undefined) {
      if (waiting.long === '--repo') repository = word;
      waiting = undefined;
      continue;
    }
    if (word.startsWith('-')) {
      const option = findOption(command, word);
      if (option?.required === true) waiting = option;
      continue;
    }
    const next = command.commands.find((each) => each.name() === word || each.aliases().includes(word));
    if (next === undefined) {
      used++;
      continue;
    }
    await load(next);
    command = next;
  }
  return { command, used, waiting, repository };
}

function visible(command: Command): readonly Command[] {
  return command.createHelp().visibleCommands(command);
}

/** Its own and those of the groups above. */
function optionsOf(command: Command): Option[] {
  const options: Option[] = [];
  for (let at: Command | null = command; at !== null; at = at.parent) options.push(...at.options);
  return options.filter(({ hidden }) => !hidden);
}

function findOption(command: Command, word: string): Option | undefined {
  return optionsOf(command).find(({ long, short }) => word === long || word === short);
}

function optionCandidates({ long, description }: Option): Candidate[] {
  return long === undefined ? [] : [{ word: long, description }];
}

function argumentAt({ registeredArguments }: Command, index: number): Argument | undefined {
  const last = registeredArguments.at(-1);
  return registeredArguments[index] ?? (last?.variadic === true ? last : undefined);
}

const commitNames = /^(commit|ref|a|b|from|to|baseName|name|reference)$/;
const imageNames = /^(image|a|b)$/;
const pathNames = /path|file|dir|repo|mountpoint|target|source|^(a|b|ca|cert|cacert|key|image|dump|output)$/i;

/** Words for an argument or option value, told by its name. */
function values(choices: readonly string[] | undefined, name: string, repository: string): Answer {
  if (choices !== undefined) return { candidates: choices.map((word) => ({ word })) };
  // Names of refs are in links; no other property of the repository is needed to list them.
  const store: ObjectStore = { path: repository, algorithm: 'sha256', secure: false };
  const candidates: Candidate[] = [];
  if (commitNames.test(name)) {
    candidates.push(
      ...listCommits(store).map(({ name: word, commit }) => ({ word, description: commit.slice(0, 12) })),
    );
  }
  if (imageNames.test(name)) candidates.push(...listRefs(store, 'images').map(({ ref }) => ({ word: `refs/${ref}` })));
  return { candidates, paths: pathNames.test(name) };
}
