/** What a repair found and did, as text and as JSON. */
import { formatProblem, formatReport, isClean, reportJson } from '../repository/fsck-report.ts';
import type { RebuiltCommit } from './rebuild.ts';
import type { RepairReport } from './repair.ts';

/** Lines for people, without a newline at the end; the last ones are those of a check after it. */
export function formatRepair(report: RepairReport): string {
  const { before, commits, failed, salvaged, moved, lostFound, after } = report;
  const lines: string[] = [];
  if (!isClean(before)) lines.push(`Found ${before.problems.length} problem(s):`);
  for (const problem of before.problems) lines.push(`  - ${formatProblem(problem)}`);
  for (const id of salvaged) lines.push(`Object ${id}: had again from another copy in the repository`);
  for (const commit of commits) lines.push(...formatCommit(commit));
  for (const { commit, problem } of failed) lines.push(`Commit ${commit}: not repaired: ${problem}`);
  for (const path of moved) lines.push(`${path}: moved to lost+found, nothing needs it`);
  if (lostFound !== undefined) lines.push(`Copies of what was replaced: ${lostFound} (remove them when all is well)`);
  return [...lines, formatReport(after)].join('\n');
}

function formatCommit({ commit, state, fetched, lost, metadataLost }: RebuiltCommit): string[] {
  const from = [...fetched].map(([location, count]) => `${count} object(s) from ${location}`).join(', ');
  const what = from === '' ? 'from what is stored' : `with ${from}`;
  if (state === 'whole') return [`Commit ${commit}: repaired, ${what}`];
  return [
    `Commit ${commit}: partial now, repaired ${what}; pull it again to complete it`,
    ...metadataLost.map((object) => `  lost: metadata object ${object}, and what is below it`),
    ...lost.map((file) => `  lost: file object ${file}`),
  ];
}

export function repairJson(report: RepairReport): Record<string, unknown> {
  const { before, commits, failed, salvaged, moved, lostFound, after } = report;
  return {
    ok: isClean(after),
    before: reportJson(before),
    commits: commits.map((each) => ({
      commit: each.commit,
      state: each.state,
      fetched: Object.fromEntries(each.fetched),
      lost: [...each.metadataLost, ...each.lost],
      stream_replaced: each.streamReplaced,
      image: each.image ?? null,
    })),
    failed,
    salvaged,
    moved,
    lost_found: lostFound ?? null,
    after: reportJson(after),
  };
}
