/**
 * Patterns of ref names: `*` is any characters of one fragment, `?` is one, and a fragment `**` is any number of fragments, also
 * none: `a/*` is `a/b`, not `a/b/c`; `a/**` is both, and `a`.
 *
 * Matching takes at most the product of both lengths, whatever the name: names come from strangers.
 */

/** True if `pattern` is more than one name. */
export function isRefGlob(pattern: string): boolean {
  return /[*?]/.test(pattern);
}

/** Whether a ref name matches `pattern`. */
export function refGlob(pattern: string): (name: string) => boolean {
  if (!isRefGlob(pattern)) return (name) => name === pattern;
  const fragments = pattern.split('/');
  const matchFragment = (fragment: string, text: string): boolean =>
    matches(Array.from(fragment), Array.from(text), '*', (wanted, char) => wanted === '?' || wanted === char);
  return (name) => matches(fragments, name.split('/'), '**', matchFragment);
}

/**
 * Whether `pattern` matches all of `items`; the element `any` stands for any number of them. When something does not fit, only
 * the last `any` need take one more: what an earlier one would take, the last can take too.
 */
function matches(
  pattern: readonly string[],
  items: readonly string[],
  any: string,
  one: (wanted: string, item: string) => boolean,
): boolean {
  let at = 0;
  let afterAny = -1;
  let resume = 0;
  for (let i = 0; i < items.length;) {
    const wanted = pattern[at];
    if (wanted === any) {
      afterAny = ++at;
      resume = i;
    } else if (wanted !== undefined && one(wanted, items[i] ?? '')) {
      at++;
      i++;
    } else if (afterAny === -1) {
      return false;
    } else {
      at = afterAny;
      i = ++resume;
    }
  }
  return pattern.slice(at).every((rest) => rest === any);
}
