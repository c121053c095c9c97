/** Bytes received, counted over all transports and threads of a process. */

/** One shared number; structured cloning keeps it shared. */
export type Traffic = SharedArrayBuffer;

export function createTraffic(): Traffic {
  return new SharedArrayBuffer(8);
}

/** What to tell of bytes that come. */
export function trafficCounter(traffic: Traffic): (bytes: number) => void {
  const total = new BigInt64Array(traffic);
  return (bytes) => void Atomics.add(total, 0, BigInt(bytes));
}

export function receivedBytes(traffic: Traffic): number {
  return Number(Atomics.load(new BigInt64Array(traffic), 0));
}
