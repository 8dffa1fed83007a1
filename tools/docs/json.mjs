// Figures as files of the documentation, in the form that the lint step wants.
import { writeFileSync } from 'node:fs';
import { format, resolveConfig } from 'prettier';

/**
 * Writes a value as formatted JSON.
 *
 * @param {string} path
 * @param {unknown} value
 */
export async function writeJson(path, value) {
  const config = await resolveConfig(path);
  writeFileSync(path, await format(JSON.stringify(value, null, 2), { ...config, parser: 'json' }));
}
