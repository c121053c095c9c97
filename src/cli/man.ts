/** `cfs man`: manual pages, in the form that `man` reads, made of the same definitions as `--help`. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Argument, Command, Option } from 'commander';
import { packageVersion } from '../../ostree/version.ts';
import type { LoadCommand } from './commands.ts';
import { action, examples, examplesOf, type Context } from './context.ts';
import { usageError } from './failure.ts';
import { writeJson, writeLine, writeOut } from './output.ts';

export function define(command: Command, load: LoadCommand): void {
  command
    .argument('[word...]', 'the command to write about (default: the program)')
    .option('--output <dir>', 'write the pages of all commands to files in this directory');
  examples(command, 'cfs man ostree pull | man -l -', 'cfs man --output /usr/local/share/man/man1');
  action(command, async ({ json }: Context, words: readonly string[], options: { readonly output?: string }) => {
    const program = command.parent!;
    if (options.output !== undefined) {
      const pages = await writeAll(program, load, options.output);
      if (json) writeJson({ pages });
      else pages.forEach(writeLine);
      return;
    }
    const text = await page(find(program, words), load);
    if (json) writeJson({ page: text });
    else writeOut(text);
  });
}

/** @returns paths of the files. */
async function writeAll(program: Command, load: LoadCommand, directory: string): Promise<string[]> {
  const files: string[] = [];
  mkdirSync(directory, { recursive: true });
  for (const each of [program, ...below(program)]) {
    const file = join(directory, `${pageName(each)}.1`);
    writeFileSync(file, await page(each, load));
    files.push(file);
  }
  return files;
}

function below(command: Command): Command[] {
  const direct = visible(command);
  return [...direct, ...direct.flatMap(below)];
}

function visible(command: Command): readonly Command[] {
  return command.createHelp().visibleCommands(command);
}

function find(program: Command, words: readonly string[]): Command {
  return words.reduce((parent, word) => {
    const child = parent.commands.find((each) => each.name() === word);
    if (child === undefined) throw usageError(`There is no command '${words.join(' ')}'`);
    return child;
  }, program);
}

/** `cfs-ostree-pull` */
function pageName(command: Command): string {
  return command.parent === null ? command.name() : `${pageName(command.parent)}-${command.name()}`;
}

async function page(command: Command, load: LoadCommand): Promise<string> {
  // The command that runs has its definition already.
  if (command.registeredArguments.length + command.options.length === 0) await load(command);
  const name = pageName(command);
  const usage = command.createHelp().commandUsage(command);
  const lines = [
    `.TH ${quote(name.toUpperCase())} 1 "" ${quote(`cfs ${packageVersion()}`)} "User Commands"`,
    '.SH NAME',
    `${escape(name)} \\- ${escape(command.summary() || command.description())}`,
    '.SH SYNOPSIS',
    `.B ${escape(usage)}`,
    '.SH DESCRIPTION',
    `${escape(command.description().replace(/\.$/, ''))}.`,
    ...section('ARGUMENTS', command.registeredArguments.map(argumentLines)),
    ...section('COMMANDS', visible(command).map(commandLines)),
    ...section('OPTIONS', command.options.filter(({ hidden }) => !hidden).map(optionLines)),
    ...section(
      'EXAMPLES',
      examplesOf(command).map((line) => ['.PP', '.EX', escape(line), '.EE']),
    ),
    '.SH SEE ALSO',
    command.parent === null ? '.BR ostree (1), .BR mount (8)' : `.BR ${escape(pageName(command.parent))} (1)`,
  ];
  return `${lines.join('\n')}\n`;
}

function section(title: string, entries: readonly (readonly string[])[]): string[] {
  return entries.length === 0 ? [] : [`.SH ${title}`, ...entries.flat()];
}

function argumentLines(argument: Argument): string[] {
  return ['.TP', `.I ${escape(argument.name())}`, escape(describe(argument.description, argument.argChoices))];
}

function commandLines(command: Command): string[] {
  return ['.TP', `.BR ${escape(pageName(command))} (1)`, escape(command.summary())];
}

function optionLines(option: Option): string[] {
  return ['.TP', `.B ${escape(option.flags)}`, escape(describe(option.description, option.argChoices))];
}

function describe(description: string, choices: readonly string[] | undefined): string {
  return choices === undefined ? description : `${description} (${choices.join(', ')})`;
}

function quote(text: string): string {
  return `"${escape(text)}"`;
}

/** Text in which roff sees no request and no escape. */
function escape(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll('"', '\\(dq')
    .replace(/^([.'])/gm, '\\&$1');
}
