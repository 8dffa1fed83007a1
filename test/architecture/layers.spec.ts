// Which folder may import which. Imports point down only: messages, options, errors, events, plugins and the runtime know
// nothing above them; connection and topology come next, then consuming and publishing, which never import each other,
// then calls, then the dead-letter client, then the broker object, then the public API.
import { describe, expect, it } from '@jest/globals';
import { type Import, type Source, imports, librarySources, sample, sources } from './sources.js';

/** Folders by height. A folder may import from lower ones; those of one height keep apart, unless listed as `friends`. */
interface Layers {
  readonly heights: Readonly<Record<string, number>>;
  /** Pairs of folders on one layer of which the first may import the second. */
  readonly friends: readonly string[];
}

/** Every pair of these. */
function pairs(folders: readonly string[]): string[] {
  return folders.flatMap((one) => folders.map((other) => `${one} -> ${other}`));
}

const libraries: Readonly<Record<string, Layers>> = {
  amqp: {
    heights: {
      message: 0,
      options: 0,
      errors: 0,
      events: 0,
      runtime: 0,
      plugins: 0,
      connection: 1,
      topology: 2,
      consume: 3,
      publish: 3,
      delay: 4,
      rpc: 5,
      'dead-letters': 6,
      fleet: 6,
      control: 7,
      broker: 8,
      index: 9,
    },
    friends: pairs(['message', 'options', 'errors', 'events', 'runtime', 'plugins']),
  },
  nestjs: {
    heights: {
      decorators: 0,
      'module-options': 0,
      discovery: 1,
      runtime: 2,
      modules: 3,
      testing: 4,
      cli: 4,
      terminus: 4,
      prometheus: 4,
      schematics: 4,
      index: 4,
    },
    friends: ['decorators -> module-options'],
  },
  embedded: {
    heights: { wire: 0, model: 0, store: 1, server: 2, management: 3, program: 4, index: 5 },
    // A failure is a word of both: the model finds it, the wire sends it.
    friends: ['model -> wire', 'wire -> model'],
  },
  opentelemetry: {
    heights: {
      conventions: 0,
      options: 0,
      contexts: 1,
      publishing: 2,
      attempts: 3,
      'open-telemetry': 4,
      meters: 5,
      index: 6,
    },
    friends: [],
  },
  board: {
    heights: {
      api: 0,
      errors: 1,
      options: 1,
      sources: 2,
      requests: 3,
      board: 4,
      http: 5,
      modules: 6,
      'stand-alone': 7,
      index: 8,
    },
    friends: [],
  },
};

/** Packages that only some files may name, and those files. */
const outside: readonly { readonly name: RegExp; readonly allowed: RegExp; readonly why: string }[] = [
  {
    name: /^amqplib(\/|$)/,
    allowed: /^libs\/amqp\/src\/connection\//,
    why: 'only libs/amqp/src/connection names amqplib',
  },
  {
    name: /^@nestjs\/[^/]+\/./,
    allowed: /^libs\/nestjs\/src\/runtime\/nest-internals\.ts$/,
    why: 'only runtime/nest-internals.ts reaches into the inside of Nest',
  },
  {
    name: /^@nestjs\//,
    allowed: /^(libs\/nestjs|libs\/board|apps)\//,
    why: 'only libs/nestjs, libs/board and the applications know Nest',
  },
  {
    name: /^@nestjs\/testing$/,
    allowed: /^libs\/nestjs\/src\/testing\//,
    why: 'an optional peer: only libs/nestjs/src/testing needs it',
  },
  {
    name: /^@warren\/embedded$/,
    allowed: /^libs\/nestjs\/src\/(testing\/|runtime\/development-broker\.ts$)/,
    why: 'an optional peer: only tests and the option `development` need it',
  },
  {
    name: /^prom-client$/,
    allowed: /^(libs\/nestjs\/src\/prometheus|apps\/board\/src)\//,
    why: 'an optional peer: only libs/nestjs/src/prometheus, and an application that serves metrics, needs it',
  },
  {
    name: /^@warren\/amqp$/,
    allowed: /^libs\/(nestjs|opentelemetry)\//,
    why: 'the applications use @warren/nestjs',
  },
  {
    name: /^(?!\.|@warren\/amqp$|@opentelemetry\/api$)/,
    allowed: /^(?!libs\/opentelemetry\/)/,
    why: 'only the API of OpenTelemetry and what @warren/amqp exports',
  },
  {
    name: /^(?!\.|node:|@nestjs\/(common|core|platform-express)$|@warren\/nestjs$)/,
    allowed: /^(?!libs\/board\/src\/)/,
    why: 'only Nest and what @warren/nestjs exports',
  },
  {
    name: /^@warren\/nestjs/,
    allowed: /^(apps|libs\/board)\//,
    why: 'the library does not import itself by name',
  },
  {
    name: /^(?!\.|node:)/,
    allowed: /^(libs\/amqp\/src\/connection|libs\/nestjs|libs\/opentelemetry|libs\/board|apps)\//,
    why: 'no packages here',
  },
];

function packageRule(files: readonly Source[]): string[] {
  return files.flatMap(imports).flatMap((each) => {
    if (each.file !== undefined) return [];
    const broken = outside.find(({ name, allowed }) => name.test(each.name) && !allowed.test(each.from));
    return broken === undefined ? [] : [`${where(each)} imports "${each.name}": ${broken.why}`];
  });
}

function layerRule(files: readonly Source[]): string[] {
  return files.flatMap(imports).flatMap((each) => {
    const [, library = '', from = ''] = /^libs\/([^/]+)\/src\/(.+)$/.exec(each.from) ?? [];
    if (each.file === undefined || library === '') return [];
    const [, to] = new RegExp(`^libs/${library}/src/(.+)$`).exec(each.file) ?? [];
    if (to === undefined) return [`${where(each)} imports "${each.name}": another package, by its path`];
    if (/(^|\/)index\.ts$/.test(to))
      return [`${where(each)} imports "${each.name}": an index of its own package`];
    const complaint = upwards(libraries[library], folderOf(library, from), folderOf(library, to));
    return complaint === undefined ? [] : [`${where(each)} imports "${each.name}": ${complaint}`];
  });
}

function upwards(layers: Layers | undefined, from: string, to: string): string | undefined {
  if (layers === undefined || from === to) return undefined;
  const [start, end] = [layers.heights[from], layers.heights[to]];
  if (start === undefined || end === undefined)
    return `folder "${start === undefined ? from : to}" is not in the table`;
  if (end < start || layers.friends.includes(`${from} -> ${to}`)) return undefined;
  return `${from} may not know ${to}`;
}

/** The folder of a file; for files beside index.ts, the name that the table has for them. */
function folderOf(library: string, path: string): string {
  const [first = '', second] = path.split('/');
  if (second !== undefined) return first;
  const name = first.replace(/\.ts$/, '');
  if (/^(nestjs|board)$/.test(library) && name.endsWith('.module')) return 'modules';
  if (library === 'amqp' && name !== 'index') return 'broker';
  if (library === 'embedded' && name !== 'index') return 'program';
  return name;
}

const where = ({ from, line }: Import): string => `${from}:${line}`;

describe('layers', () => {
  it('every library file imports only from layers below its own', () => {
    expect(layerRule(librarySources())).toEqual([]);
  });

  it('every package is named only where it is allowed', () => {
    const applications = sources((path) => path.startsWith('apps/') && !path.endsWith('.spec.ts'));
    expect(packageRule([...librarySources(), ...applications])).toEqual([]);
  });

  it.each([
    ['libs/amqp/src/message/delivery.ts', '../connection/channel.js', 'message may not know connection'],
    ['libs/amqp/src/consume/consumer.ts', '../publish/publisher.js', 'consume may not know publish'],
    ['libs/amqp/src/publish/publisher.ts', '../consume/settlement.js', 'publish may not know consume'],
    ['libs/amqp/src/consume/consumer.ts', '../broker.js', 'consume may not know broker'],
    [
      'libs/amqp/src/connection/recovering-channel.ts',
      '../topology/plan.js',
      'connection may not know topology',
    ],
    ['libs/nestjs/src/decorators/consume.ts', '../runtime/lifecycle.js', 'decorators may not know runtime'],
    [
      'libs/nestjs/src/discovery/handler-plan.ts',
      '../runtime/lifecycle.js',
      'discovery may not know runtime',
    ],
    ['libs/embedded/src/model/queue.ts', '../server/channel.js', 'model may not know server'],
    ['libs/embedded/src/server/channel.ts', '../embedded-broker.js', 'server may not know program'],
    ['libs/amqp/src/broker.ts', './index.js', 'an index of its own package'],
    ['libs/nestjs/src/core.module.ts', '../../amqp/src/broker.js', 'another package, by its path'],
    ['libs/amqp/src/attic/box.ts', '../message/verdict.js', 'folder "attic" is not in the table'],
  ])('%s may not import %s', (from, name, complaint) => {
    expect(layerRule([sample(from, `import { x } from '${name}';`)])).toEqual([
      `${from}:1 imports "${name}": ${complaint}`,
    ]);
  });

  it.each([
    ['libs/amqp/src/consume/consumer.ts', `import type { Channel } from 'amqplib';`],
    ['libs/amqp/src/consume/consumer.ts', `let c: import('amqplib').Channel;`],
    ['libs/nestjs/src/runtime/lifecycle.ts', `export { x } from '@nestjs/core/guards/guards-consumer.js';`],
    ['libs/amqp/src/broker.ts', `import { Injectable } from '@nestjs/common';`],
    ['libs/nestjs/src/rabbit.module.ts', `const { EmbeddedBroker } = await import('@warren/embedded');`],
    ['libs/embedded/src/broker.ts', `import { errors } from '@warren/amqp';`],
    ['libs/embedded/src/broker.ts', `import something from 'something';`],
    ['libs/opentelemetry/src/attempts.ts', `import { core } from '@opentelemetry/core';`],
    ['libs/amqp/src/broker.ts', `import { trace } from '@opentelemetry/api';`],
  ])('%s may not say %s', (path, text) => {
    expect(packageRule([sample(path, text)])).toHaveLength(1);
  });

  it('what the table allows passes', () => {
    const good = [
      sample(
        'libs/amqp/src/consume/consumer.ts',
        `import { a } from '../connection/channel.js'; import 'node:events';`,
      ),
      sample('libs/amqp/src/connection/channel.ts', `import { connect } from 'amqplib';`),
      sample('libs/nestjs/src/runtime/nest-internals.ts', `import '@nestjs/core/guards/guards-consumer.js';`),
    ];
    expect([...layerRule(good), ...packageRule(good)]).toEqual([]);
  });
});
