/** A reporter of node:test: after all tests, which of them skipped and why. Used beside the spec reporter. */
import type { TestEvent } from 'node:test/reporters';

export default async function* skipReport(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  const skipped: string[] = [];
  for await (const event of events) {
    if (event.type !== 'test:pass' || event.data.skip === undefined || event.data.skip === false) continue;
    const reason = event.data.skip === true ? 'no reason given' : event.data.skip;
    skipped.push(`  ${event.data.name}: ${reason}`);
  }
  yield skipped.length === 0 ? 'No test skipped.\n' : `${skipped.length} skipped:\n${skipped.join('\n')}\n`;
}
