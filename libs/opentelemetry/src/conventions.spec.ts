// Names in traces are those that OpenTelemetry published, or our own, which say so; and the version is that of the package.
import { describe, expect, it } from '@jest/globals';
import * as published from '@opentelemetry/semantic-conventions/incubating';
import { readFileSync } from 'node:fs';
import { ATTRIBUTES, destinationName, EVENTS, SCHEMA_URL } from './conventions.js';

const read = (path: string): string => readFileSync(new URL(path, import.meta.url), 'utf8');
const file = new URL('dist/experimental_attributes.d.cts', packageUrl());
const declared = readFileSync(file, 'utf8');

function packageUrl(): URL {
  return new URL('../', import.meta.resolve('@opentelemetry/semantic-conventions'));
}

describe('names in traces', () => {
  const names = new Map<string, string>(
    Object.entries(published).flatMap(([key, value]) =>
      key.startsWith('ATTR_') && typeof value === 'string' ? [[value, key] as const] : [],
    ),
  );

  it.each(Object.keys(ATTRIBUTES).filter((name) => !name.startsWith('warren.')))(
    '%s is published, and not deprecated',
    (name) => {
      const key = names.get(name);
      expect(key).toBeDefined();
      const comment = declared.split(`declare const ${key}:`)[0].split('/**').at(-1);
      if (declared.includes(`declare const ${key}:`)) expect(comment).not.toContain('@deprecated');
    },
  );

  it('the version of the conventions is the one that is installed here', () => {
    const { version } = JSON.parse(readFileSync(new URL('package.json', packageUrl()), 'utf8')) as {
      version: string;
    };
    expect(SCHEMA_URL).toBe(`https://opentelemetry.io/schemas/${version}`);
  });

  it('our own names say so', () => {
    const others = Object.keys(EVENTS).filter((name) => !/^(warren\.|exception$)/.test(name));
    expect(others).toEqual([]);
  });

  it('the version of the tracer is that of the package', () => {
    const { version } = JSON.parse(read('../package.json')) as { version: string };
    expect(read('./open-telemetry.ts')).toContain(`VERSION = '${version}'`);
  });

  it.each<[[exchange: string, key: string, queue?: string], string]>([
    [['orders', 'order.created', 'invoices'], 'orders:order.created:invoices'],
    [['', 'orders', 'orders'], 'orders'],
    [['events', 'mails', 'mails'], 'events:mails'],
    [['events', '', 'mails'], 'events:mails'],
    [['', '', 'mails'], 'mails'],
    [['events', ''], 'events'],
    [['', 'orders'], 'orders'],
    [['', ''], 'amq.default'],
    [['same', 'same'], 'same:same'],
  ])('the destination %j is called %s', (parts, name) => expect(destinationName(...parts)).toBe(name));
});
