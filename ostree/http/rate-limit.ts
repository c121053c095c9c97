/**
 * A limit on received bytes per second that all transports and threads of the process share. The state is one shared number: the
 * moment, on the monotonic clock, up to which bandwidth is already spoken for.
 */

/** Plain data; structured cloning keeps `state` shared. */
export interface RateLimit {
  readonly bytesPerSecond: number;
  readonly state: SharedArrayBuffer;
}

/** How far bandwidth may be saved up, in microseconds. */
const BURST = 200_000n;

/** @throws RangeError unless `bytesPerSecond` is positive. */
export function createRateLimit(bytesPerSecond: number): RateLimit {
  if (!(bytesPerSecond > 0)) throw new RangeError(`Invalid rate limit: ${bytesPerSecond} bytes per second`);
  return { bytesPerSecond, state: new SharedArrayBuffer(8) };
}

/** Takes `bytes` out of the limit and gives the milliseconds to wait before using them. */
export function reserveBytes(limit: RateLimit, bytes: number): number {
  const state = new BigInt64Array(limit.state);
  const cost = BigInt(Math.ceil((bytes * 1e6) / limit.bytesPerSecond));
  const now = process.hrtime.bigint() / 1000n;
  for (;;) {
    const busyUntil = Atomics.load(state, 0);
    const from = busyUntil > now - BURST ? busyUntil : now - BURST;
    if (Atomics.compareExchange(state, 0, busyUntil, from + cost) === busyUntil) {
      return Math.max(0, Number(from + cost - now) / 1000);
    }
  }
}
