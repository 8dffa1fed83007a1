// Which handler answers which path and method. Paths are data: `/queues/:vhost/:name`; a name in a path is decoded, so
// that the vhost `/` is `%2F`.
import type { User } from '../model/access.js';
import type { Handler } from './call.js';
import { isAdministrator, isManager, isMonitor, isPolicymaker } from './management.js';

export type Method = 'GET' | 'PUT' | 'POST' | 'DELETE';

/** What a user needs to be allowed a request, and how RabbitMQ calls somebody who is not. */
export const LEVELS = {
  manager: { allows: isManager, refusal: 'Not management user' },
  monitor: { allows: isMonitor, refusal: 'Not monitor user' },
  policymaker: { allows: isPolicymaker, refusal: 'Not policymaker user' },
  administrator: { allows: isAdministrator, refusal: 'Not administrator user' },
} as const satisfies Record<string, { allows: (user: User) => boolean; refusal: string }>;

export type Level = keyof typeof LEVELS;

export type Route = {
  readonly path: string;
  readonly needs: Level;
  /** The path names a virtual host: it must be there, and the user have access to it. */
  readonly inVhost?: boolean;
} & { readonly [M in Method]?: Handler };

export interface Match {
  readonly params: Readonly<Record<string, string>>;
  readonly routes: readonly Route[];
}

interface Pattern {
  readonly parts: readonly string[];
  readonly routes: Route[];
}

export class Router {
  private readonly byLength = new Map<number, Pattern[]>();

  constructor(routes: readonly Route[]) {
    for (const route of routes) this.add(route);
  }

  /** The routes for a path; the first that fits, so literal words go before names. Undefined when there is none. */
  match(path: string): Match | undefined {
    const parts = path.split('/').slice(1);
    if (parts.at(-1) === '' && parts.length > 1) parts.pop();
    const values = decoded(parts);
    if (!values) return undefined;
    for (const pattern of this.byLength.get(parts.length) ?? []) {
      const names = pattern.parts;
      if (!names.every((name, at) => name.startsWith(':') || name === values[at])) continue;
      const params = names.flatMap((name, at) => (name.startsWith(':') ? [[name.slice(1), values[at]]] : []));
      return { params: Object.fromEntries(params) as Record<string, string>, routes: pattern.routes };
    }
    return undefined;
  }

  private add(route: Route): void {
    const parts = route.path.split('/').slice(1);
    const patterns = this.byLength.get(parts.length) ?? [];
    this.byLength.set(parts.length, patterns);
    const same = patterns.find((pattern) => pattern.parts.join('/') === parts.join('/'));
    if (same) same.routes.push(route);
    else patterns.push({ parts, routes: [route] });
  }
}

function decoded(parts: readonly string[]): string[] | undefined {
  try {
    return parts.map((part) => decodeURIComponent(part));
  } catch {
    return undefined;
  }
}
