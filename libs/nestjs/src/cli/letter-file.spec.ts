// The file of --save is readable by its owner only, and an existing file is not overwritten.
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { UsageError } from './arguments.js';
import { LetterFile } from './dead.js';

describe('the file of --save', () => {
  let folder: string;
  let path: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'warren-letters-'));
    path = join(folder, 'wrong.jsonl');
  });
  afterEach(() => rm(folder, { recursive: true }));

  it('is readable by its owner only, and has a JSON object per message', async () => {
    const file = await LetterFile.create(path);
    const letter = { position: 1, id: 'a', properties: {}, content: Buffer.from('1') };
    await file.write([letter, { ...letter, id: 'b' }] as never);
    await file.close();
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    const lines = (await readFile(path, 'utf8')).trimEnd().split('\n');
    expect(lines.map((line) => JSON.parse(line) as unknown)).toMatchObject([{ id: 'a' }, { id: 'b' }]);
  });

  it('does not overwrite an existing file', async () => {
    await writeFile(path, 'x');
    await expect(LetterFile.create(path)).rejects.toThrow(UsageError);
    await expect(LetterFile.create(join(folder, 'no', 'folder'))).rejects.toThrow('cannot write');
  });

  it('is not left behind when there was nothing to save, so that the command can be run again', async () => {
    await (await LetterFile.create(path)).close();
    expect(await readdir(folder)).toEqual([]);
  });
});
