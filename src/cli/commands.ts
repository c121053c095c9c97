/** Every command: its words, one line about it, and the file that defines and runs it. */
import type { Command } from 'commander';

/** Gives a command its arguments and options; nothing for a group. */
export type LoadCommand = (command: Command) => Promise<void>;

/** What a command's file exports: it adds arguments, options, examples and the action. */
export interface CommandFile {
  /** @param load is for commands about commands, which are loaded when they are dispatched. */
  define(command: Command, load: LoadCommand): void;
}

export interface CommandEntry {
  /** `fsck`, or groups and command: `ostree pull-local`, `ostree remote add`. */
  readonly words: string;
  readonly summary: string;
  readonly aliases?: readonly string[];
  /** Not for people: left out of help. */
  readonly hidden?: boolean;
  readonly load: () => Promise<CommandFile>;
}

/** What the groups are for, by their words. */
export const groups: Readonly<Record<string, string>> = {
  ostree: 'Work with OSTree commits',
  'ostree remote': 'Manage the remotes of the repository',
  'ostree delta': 'Work with static deltas between commits',
};

export const commands: readonly CommandEntry[] = [
  { words: 'init', summary: 'Create a composefs repository', load: () => import('./init.ts') },
  {
    words: 'images',
    summary: 'List the named images',
    aliases: ['list-images'],
    load: () => import('./images.ts'),
  },
  {
    words: 'create-image',
    summary: 'Store a directory and an image of it',
    load: () => import('./create-image.ts'),
  },
  { words: 'import-image', summary: 'Store an image that comes on stdin', load: () => import('./import-image.ts') },
  { words: 'compute-id', summary: "Compute the id of a directory's image", load: () => import('./compute-id.ts') },
  {
    words: 'compute-karg',
    summary: "Compute the kernel argument that boots a directory's image",
    load: () => import('./compute-karg.ts'),
  },
  { words: 'create-dumpfile', summary: 'Write a directory as dump text', load: () => import('./create-dumpfile.ts') },
  { words: 'image-objects', summary: 'List the objects that an image needs', load: () => import('./image-objects.ts') },
  { words: 'dump-files', summary: 'Show entries of an image as dump lines', load: () => import('./dump-files.ts') },
  { words: 'diff', summary: 'Explain how two trees or images differ', load: () => import('./diff.ts') },
  { words: 'mount', summary: 'Mount an image', load: () => import('./mount.ts') },
  { words: 'copy', summary: 'Copy a commit from or to another repository', load: () => import('./copy.ts') },
  { words: 'cat', summary: 'Write the merged content of a split stream', load: () => import('./cat.ts') },
  { words: 'fsck', summary: 'Check the whole repository', load: () => import('./fsck.ts') },
  { words: 'gc', summary: 'Remove everything that no ref reaches', load: () => import('./gc.ts') },
  {
    words: 'transaction',
    summary: 'Hold the repository against garbage collection until killed',
    load: () => import('./transaction.ts'),
  },
  {
    words: 'ostree pull-local',
    summary: 'Pull commits from an OSTree repository on disk',
    load: () => import('./ostree-pull-local.ts'),
  },
  {
    words: 'ostree pull',
    summary: 'Pull commits from an OSTree repository on a web server',
    load: () => import('./ostree-pull.ts'),
  },
  {
    words: 'ostree list-refs',
    summary: 'List the refs of an OSTree repository on a web server',
    load: () => import('./ostree-list-refs.ts'),
  },
  {
    words: 'ostree apply-delta',
    summary: 'Pull a commit from a static delta in files',
    load: () => import('./ostree-apply-delta.ts'),
  },
  { words: 'ostree delta list', summary: 'List static deltas', load: () => import('./ostree-delta-list.ts') },
  {
    words: 'ostree delta show',
    summary: 'Show what a static delta holds',
    load: () => import('./ostree-delta-show.ts'),
  },
  {
    words: 'ostree delta verify',
    summary: 'Check that a static delta makes what it says',
    load: () => import('./ostree-delta-verify.ts'),
  },
  {
    words: 'ostree delta create',
    summary: 'Make a static delta between stored commits',
    load: () => import('./ostree-delta-create.ts'),
  },
  {
    words: 'ostree remote add',
    summary: 'Remember where an OSTree repository is, by a name',
    load: () => import('./ostree-remote-add.ts'),
  },
  {
    words: 'ostree remote list',
    summary: 'List the remotes',
    load: () => import('./ostree-remote-list.ts'),
  },
  {
    words: 'ostree remote show',
    summary: 'Show how a remote is configured',
    load: () => import('./ostree-remote-show.ts'),
  },
  {
    words: 'ostree remote delete',
    summary: 'Forget a remote',
    load: () => import('./ostree-remote-delete.ts'),
  },
  {
    words: 'ostree remote refs',
    summary: 'List the refs of a remote',
    load: () => import('./ostree-list-refs.ts'),
  },
  { words: 'ostree images', summary: 'List the named commits', load: () => import('./ostree-images.ts') },
  { words: 'ostree inspect', summary: 'Show a commit and its metadata', load: () => import('./ostree-inspect.ts') },
  { words: 'ostree log', summary: 'Show a commit and its stored ancestors', load: () => import('./ostree-log.ts') },
  { words: 'ostree ls', summary: 'List files of a commit', load: () => import('./ostree-ls.ts') },
  { words: 'ostree cat', summary: 'Write files of a commit', load: () => import('./ostree-cat.ts') },
  {
    words: 'ostree diff',
    summary: 'Show what changed between two commits',
    load: () => import('./ostree-diff.ts'),
  },
  { words: 'ostree dump', summary: "Write a commit's tree as dump text", load: () => import('./ostree-dump.ts') },
  {
    words: 'ostree compute-id',
    summary: "Compute the id of a commit's image",
    load: () => import('./ostree-compute-id.ts'),
  },
  {
    words: 'ostree create-image',
    summary: 'Build or rebuild the image of a stored commit',
    load: () => import('./ostree-create-image.ts'),
  },
  { words: 'ostree tag', summary: 'Give a stored commit a name', load: () => import('./ostree-tag.ts') },
  { words: 'ostree untag', summary: 'Remove a name from a commit', load: () => import('./ostree-untag.ts') },
  {
    words: 'ostree commit',
    summary: 'Make a commit of an image or a directory',
    load: () => import('./ostree-commit.ts'),
  },
  {
    words: 'ostree export',
    summary: 'Write a commit to an OSTree repository on disk',
    load: () => import('./ostree-export.ts'),
  },
  { words: 'ostree mount', summary: "Mount a commit's image", load: () => import('./ostree-mount.ts') },
  {
    words: 'completion',
    summary: 'Write a script that lets a shell complete command lines',
    load: () => import('./completion.ts'),
  },
  {
    words: 'complete',
    summary: 'Tell what a word of a command line may become',
    hidden: true,
    load: () => import('./complete.ts'),
  },
  { words: 'man', summary: 'Write manual pages', load: () => import('./man.ts') },
];
