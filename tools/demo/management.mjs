// RabbitMQ's management API, when it can be reached: the only way for a program to make a vhost and a user there.

/**
 * The API at that address, else beside the broker; undefined when it does not answer or does not let us in.
 *
 * @param {string | undefined} address
 * @param {string} brokerUrl
 */
export async function findManagement(address, brokerUrl) {
  const broker = new URL(brokerUrl);
  const url = new URL(address ?? `http://${broker.hostname}:15672`);
  const [user, password] = url.username
    ? [url.username, url.password]
    : [broker.username || 'guest', broker.password || 'guest'];
  const login = `${decodeURIComponent(user)}:${decodeURIComponent(password)}`;
  const management = new Management(url.origin, `Basic ${Buffer.from(login).toString('base64')}`);
  const { tags = '' } = await management.call('GET', '/whoami').catch(() => ({}));
  return tags.includes('administrator') ? management : undefined;
}

class Management {
  #origin;
  #authorization;

  /** @param {string} origin @param {string} authorization */
  constructor(origin, authorization) {
    this.#origin = origin;
    this.#authorization = authorization;
  }

  /**
   * A user and a vhost of that name, for each other.
   *
   * @param {string} name
   * @param {string} password
   */
  async addAccess(name, password) {
    const remove = async () => {
      await this.call('DELETE', `/vhosts/${name}`);
      await this.call('DELETE', `/users/${name}`);
    };
    await this.call('PUT', `/vhosts/${name}`);
    await this.call('PUT', `/users/${name}`, { password, tags: '' });
    await this.call('PUT', `/permissions/${name}/${name}`, { configure: '.*', write: '.*', read: '.*' });
    return { user: name, password, vhost: name, remove };
  }

  /** @param {string} method @param {string} path @param {unknown} [body] */
  async call(method, path, body) {
    const response = await fetch(`${this.#origin}/api${path}`, {
      method,
      headers: { authorization: this.#authorization, 'content-type': 'application/json' },
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: AbortSignal.timeout(5_000),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path} of the management API: ${response.status} ${text}`);
    return text ? JSON.parse(text) : {};
  }
}
