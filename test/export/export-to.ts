import { exportCommit, type ExportOptions, type ExportResult } from '../../src/export/export.ts';
import { Repository } from '../../src/repository/repository.ts';

/** Exports from the composefs repository at `from`, without workers unless asked otherwise. */
export async function exportTo(
  from: string,
  source: string,
  to: string,
  options: ExportOptions = {},
): Promise<ExportResult> {
  using repository = await Repository.open(from);
  return await exportCommit(repository, source, to, { threads: 1, ...options });
}
