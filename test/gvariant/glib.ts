/** GLib itself as an oracle, through PyGObject: one process for many questions. */
import { spawnSync } from 'node:child_process';

const script = `
import json, sys
from gi.repository import GLib
answers = []
for question in json.load(sys.stdin):
    if 'text' in question:
        try:
            v = GLib.Variant.parse(None, question['text'], None, None)
        except GLib.Error as error:
            answers.append({'error': error.message})
            continue
    else:
        data = GLib.Bytes.new(bytes.fromhex(question['hex']))
        v = GLib.Variant.new_from_bytes(GLib.VariantType(question['type']), data, False)
    answers.append({
        'normal': v.is_normal_form(),
        'type': v.get_type_string(),
        'hex': v.get_data_as_bytes().get_data().hex() if 'text' in question and v.get_size() else '',
        'annotated': v.print_(True),
        'bare': v.print_(False),
    })
json.dump(answers, sys.stdout)
`;

export type Question = { readonly type: string; readonly hex: string } | { readonly text: string };

/** What GLib makes of a value; `error` alone where it could not parse a text, `hex` only for a text. */
export interface Answer {
  readonly error?: string;
  readonly normal: boolean;
  readonly type: string;
  readonly hex: string;
  readonly annotated: string;
  readonly bare: string;
}

// The system's own interpreter has the system's packages; another one may come first in PATH.
const python = '/usr/bin/python3';

/** Needs 'GLib for Python' (`test/needs.ts`). */
export function askGlib(questions: readonly Question[]): Answer[] {
  const { status, stdout, stderr } = spawnSync(python, ['-c', script], {
    input: JSON.stringify(questions),
    encoding: 'utf8',
    maxBuffer: 2 ** 30,
  });
  if (status !== 0) throw new Error(`GLib oracle failed: ${stderr}`);
  return JSON.parse(stdout) as Answer[];
}
