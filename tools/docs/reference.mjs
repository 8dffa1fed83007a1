// The reference: what the packages export, from the doc comments. A link that leads nowhere and a type that an exported
// one names but nobody can import are errors.
import { mkdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Application, Logger, LogLevel } from 'typedoc';
import { root } from '../run.mjs';

/** Entry points, by the name under which they are imported. */
const entries = {
  // First, so that what @warren/nestjs exports of it is described here.
  '@warren/amqp': 'amqp',
  '@warren/nestjs': 'nestjs',
  '@warren/nestjs/testing': 'nestjs/testing',
  '@warren/nestjs/terminus': 'nestjs/terminus',
  '@warren/nestjs/prometheus': 'nestjs/prometheus',
  '@warren/embedded': 'embedded',
  '@warren/opentelemetry': 'opentelemetry',
  '@warren/board': 'board',
};

/** Keeps what typedoc complains about. */
class Complaints extends Logger {
  /** @type {string[]} */
  all = [];

  /** @override @param {string} message @param {LogLevel} level */
  log(message, level) {
    if (level >= LogLevel.Warn) this.all.push(message);
  }
}

/**
 * Reads all doc comments. Resolves to what is wrong with them, and to a function that writes the pages.
 *
 * @returns {Promise<{ problems: string[], write: (folder: string) => Promise<void> }>}
 */
export async function reference() {
  const app = await Application.bootstrapWithPlugins({ ...options(), logLevel: LogLevel.Warn });
  const complaints = new Complaints();
  app.logger = complaints;
  const project = await app.convert();
  if (project === undefined) return { problems: complaints.all, write: async () => undefined };
  app.validate(project);
  for (const module of project.children ?? []) {
    const found = Object.entries(entries).find(([, path]) => module.name === `libs/${sourceOf(path)}`);
    if (found) module.name = found[0];
  }
  return {
    problems: complaints.all.map((message) => `reference: ${message}`),
    async write(folder) {
      rmSync(folder, { recursive: true, force: true });
      mkdirSync(dirname(folder), { recursive: true });
      app.options.setValue('out', folder);
      await app.generateOutputs(project);
    },
  };
}

/** Its folder in `libs`. @param {string} path */
const sourceOf = (path) => path.replace(/^\w+/, '$&/src');

/** @returns {Partial<import('typedoc').TypeDocOptions>} */
function options() {
  return /** @type {any} */ ({
    name: 'API',
    entryPoints: Object.values(entries).map((path) => join(root, 'libs', sourceOf(path), 'index.ts')),
    tsconfig: join(root, 'tools', 'docs', 'tsconfig.json'),
    plugin: ['typedoc-plugin-markdown'],
    readme: 'none',
    entryFileName: 'index.md',
    sortEntryPoints: false,
    // The compiler checks the sources in another step.
    skipErrorChecking: true,
    excludePrivate: true,
    excludeInternal: true,
    excludeExternals: true,
    disableSources: true,
    basePath: root,
    sort: ['kind', 'source-order'],
    tableColumnSettings: { hideModifiers: true, leftAlignHeaders: true },
    hidePageHeader: true,
    hideBreadcrumbs: true,
    useCodeBlocks: true,
    parametersFormat: 'table',
    interfacePropertiesFormat: 'table',
    typeAliasPropertiesFormat: 'table',
    enumMembersFormat: 'table',
    validation: { notExported: true, invalidLink: true, notDocumented: true },
  });
}
