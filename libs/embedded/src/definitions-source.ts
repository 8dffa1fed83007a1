// Definitions from a file, or from a program that has them as an object.
import { readFile } from 'node:fs/promises';
import type { DefinitionsFile } from './running.js';

/** Rejects with an Error that names the file, and the line where it is no JSON. */
export async function definitionsFrom(definitions: string | object): Promise<DefinitionsFile> {
  if (typeof definitions !== 'string') return { source: 'definitions', content: definitions };
  const text = await readFile(definitions, 'utf8');
  try {
    return { source: definitions, content: JSON.parse(text) as unknown };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new Error(`${definitions}${lineOf(message, text)}: is not JSON: ${message}`, { cause: error });
  }
}

/** Whether there are users among them; then there is no user `guest` unless it is one of them. */
export function hasUsers({ content }: DefinitionsFile): boolean {
  if (typeof content !== 'object' || content === null || !('users' in content)) return false;
  return Array.isArray(content.users) && content.users.length > 0;
}

function lineOf(message: string, text: string): string {
  const position = /at position (\d+)/.exec(message)?.[1];
  return position === undefined ? '' : `:${text.slice(0, Number(position)).split('\n').length}`;
}
