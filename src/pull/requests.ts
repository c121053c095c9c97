/** What a pull is asked for: refs, patterns of refs, and commits, in the forms that `ostree pull` and this program take. */
import { CfsError, NotFoundError } from '../../bytes/errors.ts';
import { isChecksum, type OstreeChecksum } from '../../ostree/checksum.ts';
import { isRefGlob, refGlob } from '../../ostree/ref-glob.ts';
import { checkRefName } from '../../ostree/ref.ts';
import type { Source } from '../../ostree/source.ts';

/** A name as `pullCommit` takes it, and the commit that it means. */
export interface ResolvedRef {
  readonly name: string;
  readonly commit: OstreeChecksum;
}

/** More refs than anybody pulls by one command. */
const MAX_REFS = 100_000;

/** True if `wanted` is one ref or commit, whatever the source holds. */
export function isSingle(wanted: readonly string[]): boolean {
  const [only = '*', another] = wanted;
  return another === undefined && !isRefGlob(only);
}

/**
 * Asks the source for all that is `wanted`: a ref, also with `^` for the parent; `REF@CHECKSUM`, which gives that commit the name
 * without asking; a checksum; a pattern (`os/*`, `**`), which is every ref that it matches. Each name is there once.
 * @throws NotFoundError for what is not there, also for a pattern that matches nothing; CfsError USAGE.
 */
export async function resolveRefs(
  source: Source,
  wanted: readonly string[],
  signal?: AbortSignal,
): Promise<ResolvedRef[]> {
  const patterns = wanted.filter(isRefGlob);
  const matches = patterns.map(refGlob);
  const match = (ref: string): boolean => matches.some((each) => each(ref));
  const listed =
    patterns.length === 0 ? [] : Array.from(await source.listRefs(signal, { match })).filter(([ref]) => match(ref));
  const found = new Map<string, OstreeChecksum>();
  for (const text of wanted) {
    if (!isRefGlob(text)) {
      const { name, commit } = splitCommit(text);
      found.set(name, commit ?? (await source.resolveRef(name, signal)));
      continue;
    }
    const matching = refGlob(text);
    const refs = listed.filter(([ref]) => matching(ref)).sort(([a], [b]) => (a < b ? -1 : 1));
    if (refs.length === 0) throw new NotFoundError(`No ref of ${source.location} matches '${text}'`, { ref: text });
    for (const [ref, commit] of refs) found.set(ref, commit);
  }
  if (found.size > MAX_REFS) throw new CfsError('LIMIT', `${found.size} refs are more than ${MAX_REFS}`);
  return Array.from(found, ([name, commit]) => ({ name, commit }));
}

/** `REF@CHECKSUM`; no ref has an `@` in its name. */
function splitCommit(text: string): { readonly name: string; readonly commit: OstreeChecksum | undefined } {
  const at = text.indexOf('@');
  if (at === -1) return { name: text, commit: undefined };
  const [name, commit] = [text.slice(0, at), text.slice(at + 1)];
  if (!isChecksum(commit)) throw new CfsError('USAGE', `'${text}': expected REF@CHECKSUM, with 64 hex digits`);
  checkRefName(name);
  return { name, commit };
}
