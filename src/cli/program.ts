/** The command line: global options, and the dispatch to one command's file. */
import { Command, CommanderError, Option } from 'commander';
import { commands, groups, type CommandEntry, type LoadCommand } from './commands.ts';
import { EXIT_USAGE, usageError } from './failure.ts';
import { writeOut } from './output.ts';

function addGlobals(program: Command): void {
  program
    .option('--repo <path>', 'work on the repository at PATH')
    .option('--user', "work on the user's repository, ~/.var/lib/composefs")
    .option('--system', "work on the system's repository, /sysroot/composefs")
    .addOption(
      new Option('--hash <algorithm>', 'the hash that the repository has to have').choices(['sha256', 'sha512']),
    )
    .addOption(
      new Option('--erofs-version <version>', 'the EROFS format of images that this call makes').choices([
        '0',
        '1',
        '2',
      ]),
    )
    .option('--lock-timeout <seconds>', "how long to wait while others hold the repository's lock (default: 300)")
    // Scripts for older releases of cfsctl write it in front of any command.
    .addOption(new Option('--insecure').hideHelp())
    .option('--require-verity', 'refuse a repository without fs-verity')
    .option('--no-upgrade', 'refuse a repository of the old format, without meta.json')
    .option('--no-repo', 'use no repository; for commands that need none')
    .option('--json', 'write the result as JSON, and errors as JSON on stderr')
    .option('-q, --quiet', 'no progress and no notes')
    .addOption(
      new Option('--progress <form>', 'how progress is shown on stderr')
        .choices(['auto', 'plain', 'json', 'none'])
        .default('auto'),
    )
    .option('--progress-fd <n>', 'write progress as JSON lines to this open file descriptor');
}

/** The command that `words` lead to, groups made on the way. */
function group(program: Command, words: readonly string[]): Command {
  return words.reduce((parent, name, i) => {
    const summary = groups[words.slice(0, i + 1).join(' ')]!;
    return (
      parent.commands.find((command) => command.name() === name) ??
      parent.command(name).summary(summary).description(summary)
    );
  }, program);
}

/** Adds `entry` to its group; its own file is loaded when it is about to be parsed. */
function addCommand(program: Command, entry: CommandEntry): void {
  const words = entry.words.split(' ');
  group(program, words.slice(0, -1))
    .command(words.at(-1)!, { hidden: entry.hidden ?? false })
    .summary(entry.summary)
    .description(entry.summary)
    .aliases([...(entry.aliases ?? [])]);
}

function allOf(command: Command): Command[] {
  return [command, ...command.commands.flatMap(allOf)];
}

function find(command: Command): CommandEntry | undefined {
  const words: string[] = [];
  for (let at: Command | null = command; at?.parent != null; at = at.parent) words.unshift(at.name());
  return commands.find((entry) => entry.words === words.join(' '));
}

const loadCommand: LoadCommand = async (command) => {
  const entry = find(command);
  if (entry !== undefined) (await entry.load()).define(command, loadCommand);
};

/** All commands by name and summary. */
function makeProgram(version: string, json: boolean): Command {
  const program = new Command('cfs')
    .description('Pull OSTree commits into a composefs repository and build images that Linux mounts.')
    .version(`cfs ${version}`, '-V, --version')
    .configureHelp({ showGlobalOptions: false, sortSubcommands: false })
    .addHelpText(
      'after',
      `
Examples:
  cfs --repo /var/lib/images ostree pull-local /ostree/repo fedora/x86_64/iot
  cfs --repo /var/lib/images ostree mount fedora/x86_64/iot /mnt
  cfs --repo /var/lib/images fsck --json`,
    );
  addGlobals(program);
  for (const entry of commands) addCommand(program, entry);
  for (const command of allOf(program)) {
    command
      .configureOutput(json ? { writeOut, outputError: () => undefined } : { writeOut })
      .exitOverride()
      .hook('preSubcommand', (_, next) => loadCommand(next))
      .helpCommand(false)
      .showSuggestionAfterError();
  }
  return program;
}

/** Runs the command line; returns when the command has ended. */
export async function runProgram(args: readonly string[], version: string): Promise<void> {
  const json = args.includes('--json');
  const program = makeProgram(version, json);
  try {
    await program.parseAsync(helpLast(args), { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (json && error.exitCode !== 0 && error.code !== 'commander.help') {
      throw usageError(error.message.replace(/^error: /, ''));
    }
    // Commander has said what is wrong. Help that was asked for is no failure.
    process.exitCode = error.exitCode === 0 ? 0 : EXIT_USAGE;
  }
}

/** `help fsck` as `fsck --help`, and `ostree help pull` as `ostree pull --help`. */
function helpLast(args: readonly string[]): string[] {
  const at = Object.hasOwn(groups, args[0] ?? '') ? 1 : 0;
  return args[at] === 'help' ? [...args.toSpliced(at, 1), '--help'] : [...args];
}
