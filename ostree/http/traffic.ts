/** Bytes received, counted over all transports and threads of a process. */

/** One shared number; structured cloning keeps it shared. */
export type Traffic = SharedArrayBuffer;

export function createTraffic(): Traffic {
  return new SharedArrayBuffer(8);
}

export function countReceived(traffic: Traffic, bytes: number): void {
  Atomics.add(new BigInt64Array(traffic), 0, BigInt(bytes));
}

export function receivedBytes(traffic: Traffic): number {
  return Number(Atomics.load(new BigInt64Array(traffic), 0));
}
