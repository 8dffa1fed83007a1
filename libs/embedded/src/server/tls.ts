// The listening socket, with or without TLS, and the user that a client certificate stands for.
import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, TLSSocket } from 'node:tls';

/** TLS of an embedded broker, as PEM texts or their bytes. */
export interface BrokerTls {
  /** Its private key. */
  readonly key: string | Uint8Array;
  /** Its certificate, with those between it and its authority. */
  readonly cert: string | Uint8Array;
  /** Authorities whose client certificates it trusts. */
  readonly ca?: string | Uint8Array | undefined;
  /** Whether clients are asked for a certificate. Default: when there is a `ca`. */
  readonly requestCert?: boolean | undefined;
  /** Whether clients without a trusted certificate are refused, if one is asked for. Default true. */
  readonly rejectUnauthorized?: boolean | undefined;
}

/** A client that does not finish its TLS handshake in this time is disconnected, in milliseconds. */
const HANDSHAKE_MOST = 10_000;

/** Whether clients may log in by their certificates. */
export const asksForCertificate = (tls: BrokerTls | undefined): boolean =>
  tls !== undefined && (tls.requestCert ?? tls.ca !== undefined);

export class ListeningSocket {
  readonly server: Server;
  /** All connections, those included whose TLS handshake is under way. */
  private readonly sockets = new Set<Socket>();

  constructor(
    tls: BrokerTls | undefined,
    accept: (socket: Socket) => void,
    onRefused: (reason: string) => void,
  ) {
    if (!tls) {
      this.server = createServer(accept);
      return;
    }
    const { key, cert, ca, rejectUnauthorized = true } = tls;
    const server = createTlsServer(
      {
        key: bytes(key),
        cert: bytes(cert),
        ...(ca !== undefined && { ca: bytes(ca) }),
        requestCert: asksForCertificate(tls),
        rejectUnauthorized,
        handshakeTimeout: HANDSHAKE_MOST,
      },
      accept,
    );
    server.on('tlsClientError', (error, socket) => {
      onRefused(error.message);
      socket.destroy();
    });
    this.server = server;
    server.on('connection', (socket: Socket) => {
      this.sockets.add(socket);
      socket.on('close', () => this.sockets.delete(socket));
    });
  }

  /** Ends what is still connecting, and the rest without a word. */
  destroyAll(): void {
    for (const socket of this.sockets) socket.destroy();
  }
}

/** Ends a connection as a failing network does. */
export function reset(socket: Socket): void {
  // Only a bare TCP socket can be reset.
  if (socket instanceof TLSSocket) socket.destroy();
  else socket.resetAndDestroy();
}

/** The common name of a client certificate that is trusted. */
export function certifiedName(socket: Socket): string | undefined {
  if (!(socket instanceof TLSSocket) || !socket.authorized) return undefined;
  const { subject } = socket.getPeerCertificate() as { readonly subject?: { readonly CN?: unknown } };
  return typeof subject?.CN === 'string' ? subject.CN : undefined;
}

/** What came from another thread is no Buffer any more. */
const bytes = (pem: string | Uint8Array): string | Buffer =>
  typeof pem === 'string' ? pem : Buffer.from(pem);
