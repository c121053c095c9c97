/** A base URL, taken apart once for the many files below it. */
import { type Credentials, joinUrl, takeCredentials, withoutCredentials } from './url.ts';

/** Where a request goes. */
export interface Target {
  readonly origin: string;
  /** With its query. */
  readonly path: string;
}

/** Paths that a URL takes as they are. */
const PLAIN = /^(?:[\w~+-][\w~+.-]*\/)*[\w~+-][\w~+.-]*$/;

export class Base {
  readonly origin: string;
  /** User and password that stood in it. */
  readonly credentials: Credentials | undefined;
  readonly #text: string;
  /** What stands in front of a plain path; undefined where the base has a query. */
  readonly #folder: string | undefined;

  /** @throws CfsError USAGE for a base that is neither http nor https. */
  constructor(text: string) {
    const url = joinUrl(text, '');
    this.#text = text;
    this.#folder = /[?#]/.test(text) ? undefined : joinUrl(text, '_').pathname.slice(0, -1);
    this.credentials = takeCredentials(url);
    this.origin = url.origin;
  }

  /** The file at `path`; empty for the base itself. */
  target(path: string): Target {
    const { origin } = this;
    if (this.#folder !== undefined && PLAIN.test(path)) return { origin, path: this.#folder + path };
    const { pathname, search } = joinUrl(this.#text, path);
    return { origin, path: pathname + search };
  }
}

/** For messages and for what needs a whole URL. */
export function hrefOf({ origin, path }: Target): string {
  return withoutCredentials(origin + path);
}
