// `nest g -c @warren/nestjs consumer|subscriber|rpc|contract NAME`: a class with one handler, listed in its module, and a
// test that passes; or contracts.

import { posix } from 'node:path';
import { addTo, nearestModule } from './module-file.js';
import { absolute, type Context, Project, type Schematic, type Tree } from './project.js';
import { classOf, contractFile, handlerFile, type Kind, namesOf, specFile } from './templates.js';

/** What the Nest CLI hands over. */
export interface GenerateOptions {
  readonly name?: string;
  readonly sourceRoot?: string;
  readonly path?: string;
  readonly language?: string;
  readonly flat?: boolean;
  readonly spec?: boolean;
  readonly specFileSuffix?: string;
  readonly skipImport?: boolean;
}

/** A class with `@Consume`. */
export const consumer = (options: GenerateOptions): Schematic => generate('consumer', options);

/** A class with `@Subscribe`. */
export const subscriber = (options: GenerateOptions): Schematic => generate('subscriber', options);

/** A class with `@RpcHandler`. */
export const rpc = (options: GenerateOptions): Schematic => generate('rpc', options);

/** A queue, an event and a call as values that two services import. */
export const contract = (options: GenerateOptions): Schematic => generate('contract', options);

function generate(kind: Kind, options: GenerateOptions): Schematic {
  return (tree: Tree, context: Context) => {
    const { name: given = '', language } = options;
    if (language !== undefined && !/^(ts|typescript)$/i.test(language)) {
      throw new Error('Warren generates TypeScript only: its decorators need it');
    }
    const project = new Project(tree, options.sourceRoot);
    const names = namesOf(posix.basename(given));
    const above = posix.join(options.path ? absolute(options.path) : project.root, posix.dirname(given));
    const folder = options.flat ? above : posix.join(above, names.kebab);
    const path = posix.join(folder, `${names.kebab}.${kind}.ts`);
    if (kind === 'contract') {
      create(project, path, contractFile(names, project.has('zod')));
    } else {
      handler(project, context, { kind, names, path, options });
    }
    return tree;
  };
}

interface HandlerToWrite {
  readonly kind: Exclude<Kind, 'contract'>;
  readonly names: ReturnType<typeof namesOf>;
  readonly path: string;
  readonly options: GenerateOptions;
}

/** Writes the class with its test, and lists it in the nearest module. @throws Error when it is there already */
export function handler(project: Project, context: Context, what: HandlerToWrite): void {
  const { kind, names, path, options } = what;
  create(project, path, handlerFile(kind, names));
  if (options.spec !== false) {
    const test = path.replace(/\.ts$/, `.${options.specFileSuffix || 'spec'}.ts`);
    create(project, test, specFile(kind, names, project.specifier(test, path)));
  }
  if (options.skipImport) return;
  const module = nearestModule(project, posix.dirname(path));
  const element = classOf(kind, names);
  const imports = [{ name: element, from: project.specifier(module, path) }];
  addTo(project, module, context, { part: 'providers', element, imports });
}

function create(project: Project, path: string, content: string): void {
  if (project.tree.exists(path)) throw new Error(`${path} exists already: nothing was changed`);
  project.write(path, content);
}
