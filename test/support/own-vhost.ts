// For tests that choose their broker as an application does, by RABBITMQ_URL: a vhost of the file's own there.
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll } from '@jest/globals';
import { management, rabbitUrl } from './management.js';

const name = `warren-test-${randomBytes(6).toString('hex')}`;
const given = rabbitUrl();

beforeAll(async () => {
  const url = new URL(given);
  const user = decodeURIComponent(url.username) || 'guest';
  await management('PUT', `/vhosts/${name}`);
  const all = { configure: '.*', write: '.*', read: '.*' };
  await management('PUT', `/permissions/${name}/${encodeURIComponent(user)}`, all);
  url.pathname = `/${name}`;
  process.env.RABBITMQ_URL = url.href;
});

afterAll(async () => {
  process.env.RABBITMQ_URL = given;
  await management('DELETE', `/vhosts/${name}`);
});
