// What the checks of the management API are written in: paths of this file's virtual host, and answers as one value.
import { expect } from '@jest/globals';
import type { TestBroker } from '../../support/brokers.js';
import type { HttpMethod, HttpOptions } from '../../support/management.js';

export class Api {
  constructor(private readonly broker: TestBroker) {}

  /** Name of this file's virtual host. */
  get vhost(): string {
    return decodeURIComponent(new URL(this.broker.url).pathname.slice(1)) || '/';
  }

  /** The same in a path. */
  get v(): string {
    return encodeURIComponent(this.vhost);
  }

  /** Sends a request and expects this status; resolves to the body. */
  async expect(
    status: number,
    method: HttpMethod,
    path: string,
    body?: unknown,
    options?: HttpOptions,
  ): Promise<unknown> {
    const answer = await this.broker.http(method, path.replaceAll('{v}', this.v), body, options);
    expect({ path, status: answer.status, body: answer.status === status ? '' : answer.body }).toEqual({
      path,
      status,
      body: '',
    });
    return answer.body;
  }

  /** Sets something, whether or not it is there: a client may send a request twice when a connection is lost. */
  async put(path: string, body: unknown): Promise<void> {
    const { status } = await this.broker.http('PUT', path.replaceAll('{v}', this.v), body);
    expect([201, 204]).toContain(status);
  }

  get(path: string, options?: HttpOptions): Promise<unknown> {
    return this.expect(200, 'GET', path, undefined, options);
  }
}
