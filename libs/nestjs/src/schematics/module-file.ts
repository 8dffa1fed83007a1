// Finds the module that something new belongs to, and lists it there.

import { posix } from 'node:path';
import { bootstrapOf, listed, type ImportedName, type ModulePart, withElement, withImport } from './edit.js';
import { compiler, type Context, type Project } from './project.js';

/** What a module gets. */
export interface Addition {
  readonly part: ModulePart;
  /** `OrderHandlers`, `RabbitModule.forRoot()`: nothing is done when the module lists one of this name. */
  readonly element: string;
  readonly imports: readonly ImportedName[];
}

/** The module that main.ts starts, else app.module.ts. @throws Error when there is neither */
export function rootModule(project: Project): string {
  const main = posix.join(project.root, 'main.ts');
  if (project.tree.exists(main)) {
    const text = project.text(main);
    const start = bootstrapOf(compiler(), text);
    if (start) {
      const path = start.from && posix.join(project.root, `${start.from.replace(/\.js$/, '')}.ts`);
      if (path === undefined && text.includes('@Module(')) return main;
      if (path !== undefined && project.tree.exists(path)) return path;
    }
  }
  const usual = posix.join(project.root, 'app.module.ts');
  if (project.tree.exists(usual)) return usual;
  throw new Error(
    `the root module of ${project.root} was not found: import RabbitModule.forRoot() there by hand`,
  );
}

/** The module of this folder or of the nearest above it. */
export function nearestModule(project: Project, folder: string): string {
  for (let at = folder; at.startsWith(`${project.root}/`); at = posix.dirname(at)) {
    const found = project.tree.getDir(at).subfiles.filter((name) => name.endsWith('.module.ts'));
    if (found.length === 1) return posix.join(at, found[0]);
  }
  return rootModule(project);
}

/** Adds to a module, or says what to add by hand. Returns whether it was added. */
export function addTo(project: Project, path: string, context: Context, addition: Addition): boolean {
  const ts = compiler();
  const { part, element, imports } = addition;
  const text = project.text(path);
  const name = /^[\w$]+/.exec(element)?.[0] ?? element;
  if (listed(ts, text, part)?.includes(name)) return false;
  let changed = withElement(ts, text, part, element);
  if (changed === undefined) {
    context.logger.warn(`${path} has no ${part} that can be edited. Add to it by hand: ${element}`);
    return false;
  }
  for (const each of imports) changed = withImport(ts, changed, each);
  project.write(path, changed);
  return true;
}
