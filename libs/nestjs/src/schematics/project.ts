// What the schematics see of a project: its files, as the Nest CLI hands them over, and what it is made of. The types are
// our own, because the CLI brings the packages of Angular that they come from.

import { createRequire } from 'node:module';
import { posix } from 'node:path';
import type * as TypeScript from 'typescript';

/** The files of the project; changes are written when the schematic has ended, and not with --dry-run. */
export interface Tree {
  exists(path: string): boolean;
  read(path: string): Buffer | null;
  create(path: string, content: string): void;
  overwrite(path: string, content: string): void;
  getDir(path: string): {
    readonly subfiles: readonly string[];
    readonly subdirs: readonly string[];
  };
}

/** What a schematic may do besides. */
export interface Context {
  readonly logger: { info(message: string): void; warn(message: string): void };
  addTask(task: { toConfiguration(): object }): unknown;
}

/** Changes the files of a project. */
export type Schematic = (tree: Tree, context: Context) => Tree;

/** The compiler of the project, or of the Nest CLI: applications need none at run time. */
export type Compiler = Omit<typeof TypeScript, 'default'>;

interface PackageJson {
  readonly name?: string;
  readonly type?: string;
  dependencies?: Record<string, string>;
  devDependencies?: Record<string, string>;
}

/** A project of the Nest CLI, and the application in it that is worked on. */
export class Project {
  readonly root: string;

  /** @param sourceRoot `src`, or `apps/shop/src` in a monorepo */
  constructor(
    readonly tree: Tree,
    sourceRoot = 'src',
  ) {
    this.root = absolute(sourceRoot);
  }

  get packageJson(): PackageJson {
    return JSON.parse(this.text('/package.json')) as PackageJson;
  }

  /** Relative imports of ES modules have an extension. */
  get extension(): string {
    return this.packageJson.type === 'module' ? '.js' : '';
  }

  /** Name of the application: of its folder in a monorepo, else of the package. */
  get service(): string {
    const [, folder] = /^\/(?:apps|packages|projects)\/([^/]+)\//.exec(`${this.root}/`) ?? [];
    return folder ?? this.packageJson.name?.replace(/^@[^/]*\//, '') ?? 'app';
  }

  has(name: string): boolean {
    const { dependencies, devDependencies } = this.packageJson;
    return name in { ...dependencies, ...devDependencies };
  }

  text(path: string): string {
    const content = this.tree.read(path);
    if (content === null) throw new Error(`${path} is missing: run this in the folder of a Nest project`);
    return content.toString('utf8');
  }

  /** Writes a file, unless it has this content already. */
  write(path: string, content: string): void {
    if (!this.tree.exists(path)) this.tree.create(path, content);
    else if (this.text(path) !== content) this.tree.overwrite(path, content);
  }

  /** The TypeScript files of a folder and those below. */
  sources(folder = this.root): string[] {
    const { subfiles, subdirs } = this.tree.getDir(folder);
    const here = subfiles.filter((name) => name.endsWith('.ts')).map((name) => posix.join(folder, name));
    return [...here, ...subdirs.flatMap((name) => this.sources(posix.join(folder, name)))];
  }

  /** What is written in an import of one file of the project into another. */
  specifier(from: string, to: string): string {
    const path = posix.relative(posix.dirname(from), to.replace(/\.ts$/, ''));
    return `${path.startsWith('.') ? path : `./${path}`}${this.extension}`;
  }
}

/** With a slash in front, as the CLI names files; backslashes of Windows become slashes. */
export function absolute(path: string): string {
  return posix.join('/', path.replace(/\\/g, '/'));
}

/** What a package of the project exports. @throws Error when it is not there */
export function load(name: string): unknown {
  // The project's first; then what the CLI itself uses, which is where the running program is.
  const places = [`${process.cwd()}/package.json`, process.argv[1] ?? process.execPath];
  for (const [index, place] of places.entries()) {
    try {
      return createRequire(place)(name) as unknown;
    } catch (error) {
      if (index === places.length - 1) throw error;
    }
  }
  return undefined;
}

/** @throws Error that says what is missing */
export function compiler(): Compiler {
  try {
    const found = load('typescript') as Compiler;
    if (typeof found.createSourceFile === 'function') return found;
  } catch {
    // Said below.
  }
  throw new Error('typescript 5 or 6 is needed to edit modules: npm install --save-dev typescript@6');
}
