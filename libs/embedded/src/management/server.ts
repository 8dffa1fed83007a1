// The management API: an HTTP server beside the broker. Clients always get a response of RabbitMQ's shape, never internals of
// an error; a client that is slow or silent is disconnected.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { isIP } from 'node:net';
import type { User } from '../model/access.js';
import { AmqpFailure } from '../model/failure.js';
import { Refusal } from '../model/refusal.js';
import type { Administration } from '../server/administration.js';
import { isLoopback } from '../server/handshake.js';
import { BodyError, readBody } from './body.js';
import { type Call, failed, notFound, type Reply } from './call.js';
import { everything } from './counted.js';
import { Management } from './management.js';
import { Rates } from './rates.js';
import { LEVELS, type Match, type Method, type Route, Router } from './router.js';
import { accessRoutes } from './routes-access.js';
import { bindingRoutes } from './routes-bindings.js';
import { connectionRoutes } from './routes-connections.js';
import { exchangeRoutes } from './routes-exchanges.js';
import { healthRoutes } from './routes-health.js';
import { missingRoutes } from './routes-missing.js';
import { overviewRoutes } from './routes-overview.js';
import { policyRoutes } from './routes-policies.js';
import { queueRoutes } from './routes-queues.js';

/** Paths after `/api`. Of two that fit, the first answers. */
const ROUTES: readonly Route[] = [
  ...overviewRoutes,
  ...accessRoutes,
  ...connectionRoutes,
  ...queueRoutes,
  ...exchangeRoutes,
  ...bindingRoutes,
  ...policyRoutes,
  ...healthRoutes,
  ...missingRoutes,
];

export interface ManagementOptions {
  readonly host: string;
  readonly port: number;
  readonly amqpPort: number;
}

/** Milliseconds a client has for the headers, and for the whole of a request. */
const HEADERS_TIMEOUT = 10_000;
const REQUEST_TIMEOUT = 60_000;
/** Requests beside each other; further ones wait. */
const MAX_CONNECTIONS = 256;

const NOT_LOGGED_IN = failed(401, 'not_authorized', 'Not_Authorized');
const MISDIRECTED = failed(421, 'bad_request', 'use localhost, or the address of this machine');
const FROM_OTHER_PAGE = failed(403, 'forbidden', 'not from a web page of another origin');
const REALM = 'Basic realm="RabbitMQ Management"';

export class ManagementServer {
  private readonly router = new Router(ROUTES);
  private readonly rates: Rates;
  private management: Management | undefined;

  private constructor(
    private readonly administration: Administration,
    private readonly server: Server,
    private readonly host: string,
  ) {
    this.rates = new Rates(() => everything(administration));
  }

  /** Rejects when the address cannot be listened on. */
  static start(administration: Administration, options: ManagementOptions): Promise<ManagementServer> {
    const limits = { headersTimeout: HEADERS_TIMEOUT, requestTimeout: REQUEST_TIMEOUT };
    const server = createServer({ ...limits, connectionsCheckingInterval: 1_000 });
    server.maxConnections = MAX_CONNECTIONS;
    const { logger } = administration.context;
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen({ host: options.host, port: options.port }, () => {
        server.off('error', reject);
        server.on('error', (error) => logger.warn(`the management API failed: ${error.message}`));
        const management = new ManagementServer(administration, server, options.host);
        management.serve(options);
        resolve(management);
      });
    });
  }

  get port(): number {
    const address = this.server.address();
    return typeof address === 'object' && address ? address.port : 0;
  }

  /** Closes the connections of requests in progress. */
  close(): Promise<void> {
    this.rates.stop();
    return new Promise((resolve) => {
      this.server.close(() => resolve());
      this.server.closeAllConnections();
    });
  }

  private serve({ host, amqpPort }: ManagementOptions): void {
    const ports = { host, amqp: amqpPort, http: this.port };
    this.management = new Management(this.administration, this.rates, ports);
    this.server.on('request', (request, response) => {
      this.answer(request)
        .then((reply) => {
          // Who hears that something was done finds it there after a crash.
          if (request.method !== 'GET') this.administration.context.journal?.write();
          send(request, response, reply);
        })
        .catch((error: unknown) => this.crashed(request, response, error));
    });
  }

  private async answer(request: IncomingMessage): Promise<Sent> {
    if (!this.isNamed(request.headers.host ?? '')) return MISDIRECTED;
    if (isFromOtherPage(request)) return FROM_OTHER_PAGE;
    const path = request.url ?? '/';
    if (!URL.canParse(path, 'http://localhost')) return notFound;
    const url = new URL(path, 'http://localhost');
    const match = url.pathname.startsWith('/api') ? this.router.match(url.pathname.slice(4)) : undefined;
    if (!match) return notFound;
    const allow = allowed(match);
    const method = request.method === 'HEAD' ? 'GET' : request.method;
    if (method === 'OPTIONS') return { status: 200, allow };
    const route = match.routes.find((each) => each[method as Method]);
    const handler = route?.[method as Method];
    if (!route || !handler || !this.management) return { status: 405, allow };
    const user = this.login(request);
    if (!user) return { ...(request.headers.authorization ? NOT_LOGGED_IN : { status: 401 }), allow };
    try {
      const refused = this.refused(route, user, match.params, method === 'PUT');
      if (refused) return { ...refused, allow };
      const call = { management: this.management, user, params: match.params, query: url.searchParams };
      return { ...handler({ ...call, ...(await details(request)) }), allow };
    } catch (error) {
      return { ...replyTo(error), allow };
    }
  }

  /**
   * A page of a stranger can make its name stand for this machine and then ask as guest. On loopback requests are therefore
   * for an address or for localhost, which no stranger's name is.
   */
  private isNamed(header: string): boolean {
    const name = header
      .replace(/:\d+$/, '')
      .replace(/^\[(.*)\]$/, '$1')
      .toLowerCase();
    if (name === '' || isIP(name) !== 0 || name === 'localhost' || name.endsWith('.localhost')) return true;
    return !isLoopback(this.host) && this.host !== 'localhost';
  }

  private login({ headers, socket }: IncomingMessage): User | undefined {
    const [, encoded] = /^Basic ([A-Za-z0-9+/=]+)$/i.exec(headers.authorization ?? '') ?? [];
    if (encoded === undefined) return undefined;
    const [, name, password] = /^([^:]*):([^]*)$/.exec(Buffer.from(encoded, 'base64').toString('utf8')) ?? [];
    if (!name || password === undefined) return undefined;
    if (name === 'guest' && !isLoopback(socket.remoteAddress ?? '')) return undefined;
    const { access } = this.administration.context;
    return access.authenticates(name, password) ? access.user(name) : undefined;
  }

  /** Throws a Refusal when the user has no access to the virtual host of the path. */
  private refused(route: Route, user: User, { vhost }: Match['params'], puts: boolean): Reply | undefined {
    const { needs, inVhost } = route;
    const { allows, refusal } = LEVELS[needs];
    if (!allows(user)) return failed(401, 'not_authorised', refusal);
    if (!inVhost || this.management?.vhost(user, vhost)) return undefined;
    return puts ? failed(404, 'not_found', 'vhost_not_found') : notFound;
  }

  private crashed(request: IncomingMessage, response: ServerResponse, error: unknown): void {
    this.administration.context.logger.warn(
      `the management API failed to handle a request: ${String(error)}`,
    );
    send(request, response, failed(500, 'internal_error', 'the embedded broker failed'));
  }
}

/** A form of another page can have the credentials in its URL; browsers say where a request comes from. */
function isFromOtherPage({ method = '', headers }: IncomingMessage): boolean {
  if (['GET', 'HEAD', 'OPTIONS'].includes(method)) return false;
  const { origin, host, 'sec-fetch-site': site } = headers;
  if (site !== undefined) return site !== 'same-origin' && site !== 'none';
  return origin !== undefined && !(URL.canParse(origin) && new URL(origin).host === host);
}

type Sent = Reply & { readonly allow?: string };

async function details(request: IncomingMessage): Promise<Pick<Call, 'body' | 'reason'>> {
  const reason = request.headers['x-reason'];
  return { body: await readBody(request), reason: typeof reason === 'string' ? reason : undefined };
}

/** What RabbitMQ answers with when something is wrong with a request. Throws what is a mistake of our own. */
function replyTo(error: unknown): Reply {
  if (error instanceof BodyError) return failed(413, 'bad_request', 'payload_too_large');
  if (error instanceof Refusal) {
    if (error.kind === 'not_found') return failed(404, 'not_found', error.message);
    return failed(error.kind === 'not_authorised' ? 401 : 400, error.kind, error.message);
  }
  if (!(error instanceof AmqpFailure)) throw error;
  const reason = error.message.replace(/^[A-Z_]+ - /, '');
  if (error.code === 403) return failed(401, 'not_authorised', 'Access refused.');
  return error.code === 404 ? failed(404, 'not_found', reason) : failed(400, 'bad_request', reason);
}

function allowed({ routes }: Match): string {
  const methods = (['GET', 'PUT', 'POST', 'DELETE'] as const).filter((method) =>
    routes.some((route) => route[method]),
  );
  return [...(methods.includes('GET') ? ['HEAD'] : []), ...methods, 'OPTIONS'].join(', ');
}

function send(request: IncomingMessage, response: ServerResponse, reply: Sent): void {
  if (response.destroyed || response.headersSent) return;
  const { status, body, location, allow } = reply;
  const text = reply.text ?? (body === undefined ? '' : JSON.stringify(body));
  if (text !== '') response.setHeader('content-type', 'application/json');
  if (status === 401 && body === undefined) response.setHeader('www-authenticate', REALM);
  if (allow !== undefined) response.setHeader('allow', allow);
  if (location !== undefined) response.setHeader('location', location);
  response.setHeader('cache-control', 'no-store');
  response.setHeader('x-content-type-options', 'nosniff');
  // What is left of a body that was refused is not read; the connection cannot go on.
  if (!request.complete) response.setHeader('connection', 'close');
  response.writeHead(status);
  response.end(request.method === 'HEAD' ? '' : text);
}
