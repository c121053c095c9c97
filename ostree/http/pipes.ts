/**
 * The connections to one origin. Over HTTP/1.1 several requests are under way on each, once the server has shown that it answers
 * them: so a slow reply costs no more than the replies in front of it, and many small files share system calls. A server that closes
 * connections in front of waiting requests is asked for one at a time. Over HTTP/2 one connection carries all.
 */
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { buildConnector, Client, Dispatcher } from 'undici';
import type { Exchange } from './exchange.ts';
import type { Lane } from './lane.ts';

/** Requests that may be lost with their connections before it is looked at how many are. */
const LOSSES = 16;

/** Makes a client that connects so. */
export type OpenClient = (tap: (connect: buildConnector.connector) => buildConnector.connector) => Client;

export interface PipeLimits {
  readonly connections: number;
  /** Requests on one HTTP/1.1 connection. */
  readonly pipelining: number;
  readonly http2Streams: number;
  /** Wait for the first connection, which tells whether all requests fit on it. */
  readonly mayBeHttp2: boolean;
}

export class Pipes {
  readonly lane: Lane;
  readonly #open: OpenClient;
  readonly #limits: PipeLimits;
  readonly #pipes: Pipe[] = [];
  /** What the first connection turned out to be. */
  #protocol: 'unknown' | 'http1' | 'http2' = 'unknown';
  #connections: number;
  /** Requests that a closing connection left waiting, and those that were answered. */
  #lost = 0;
  #answered = 0;

  constructor(open: OpenClient, lane: Lane, limits: PipeLimits) {
    this.#open = open;
    this.lane = lane;
    this.#limits = limits;
    this.#connections = limits.connections;
  }

  dispatch(options: Dispatcher.DispatchOptions, exchange: Exchange): void {
    this.#choose().dispatch(options, exchange);
  }

  /** From now on only the given part of the connections. */
  divide(parts: number): void {
    this.#connections = Math.ceil(this.#limits.connections / parts);
  }

  async destroy(): Promise<void> {
    await Promise.all(this.#pipes.map((pipe) => pipe.destroy()));
  }

  /** The one with the fewest requests; a new one rather than a second request on any. */
  #choose(): Pipe {
    const count = Math.min(this.#pipes.length, this.#connections);
    let best = this.#pipes[0];
    for (let i = 1; i < count; i++) if (this.#pipes[i]!.length < best!.length) best = this.#pipes[i];
    if (best !== undefined && (best.length === 0 || count === this.#connections || this.#isOneEnough)) return best;
    const pipe = new Pipe(this.#open, {
      connected: (http2) => this.#connected(http2),
      answered: () => this.#answer(),
      lost: (requests) => this.#lose(requests),
    });
    this.#pipes.push(pipe);
    return pipe;
  }

  get #isOneEnough(): boolean {
    return this.#protocol === 'http2' || (this.#protocol === 'unknown' && this.#limits.mayBeHttp2);
  }

  #connected(http2: boolean): void {
    this.#protocol = http2 ? 'http2' : 'http1';
    if (http2) this.lane.widen(this.#limits.http2Streams);
  }

  #answer(): void {
    if (this.#answered++ === 0 && this.#protocol === 'http1') {
      this.lane.widen(this.#limits.connections * this.#limits.pipelining);
    }
  }

  #lose(requests: number): void {
    this.#lost += requests;
    if (this.#lost > LOSSES && this.#lost > this.#answered / 4) this.lane.narrow(this.#limits.connections);
  }
}

interface PipeEvents {
  connected(http2: boolean): void;
  answered(): void;
  lost(requests: number): void;
}

/** One connection, made again when it ends. */
class Pipe {
  readonly #client: Client;
  readonly #events: PipeEvents;
  /** In the order of their responses over HTTP/1.1. */
  readonly #exchanges: Exchange[] = [];
  #http2 = false;
  #socket: Socket | undefined;
  #corked = false;
  /** The connection has given a response. */
  #isUsed = false;

  constructor(open: OpenClient, events: PipeEvents) {
    this.#events = events;
    this.#client = open((connect) => (options, callback) => {
      connect(options, (...result) => {
        if (result[0] === null) this.#connected(result[1]);
        callback(...result);
      });
    });
    this.#client.on('disconnect', () => {
      this.#socket = undefined;
      if (!this.#http2 && this.#exchanges.length > 0) events.lost(this.#exchanges.length);
    });
  }

  get length(): number {
    return this.#exchanges.length;
  }

  dispatch(options: Dispatcher.DispatchOptions, exchange: Exchange): void {
    exchange.onOver = (complete) => this.#leave(exchange, complete);
    exchange.inLine = this.#exchanges.length > 0 && !this.#http2;
    this.#exchanges.push(exchange);
    const socket = this.#corked ? undefined : this.#socket;
    if (socket !== undefined) {
      this.#corked = true;
      socket.cork();
    }
    this.#client.dispatch(options, exchange);
    if (socket !== undefined) this.#uncorkSoon(socket);
  }

  async destroy(): Promise<void> {
    await this.#client.destroy();
  }

  #connected(socket: Socket): void {
    this.#http2 = (socket as TLSSocket).alpnProtocol === 'h2';
    this.#isUsed = false;
    this.#socket = this.#http2 ? undefined : socket;
    if (this.#http2) for (const exchange of this.#exchanges) exchange.inLine = false;
    this.#events.connected(this.#http2);
  }

  #leave(exchange: Exchange, complete: boolean): void {
    exchange.onUsedConnection = this.#isUsed;
    if (complete) this.#isUsed = true;
    const at = this.#exchanges.indexOf(exchange);
    this.#exchanges.splice(at, 1);
    const [first] = this.#exchanges;
    if (at === 0 && first !== undefined) first.inLine = false;
    if (complete) this.#events.answered();
  }

  /**
   * Requests that are made at about the same time go out in one piece. Call it after the first one was dispatched: on a connection
   * that had nothing to do undici itself waits for the next `setImmediate`, which comes first then.
   */
  #uncorkSoon(socket: Socket): void {
    setImmediate(() => {
      this.#corked = false;
      socket.uncork();
    });
  }
}
