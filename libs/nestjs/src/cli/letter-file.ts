import { type FileHandle, open } from 'node:fs/promises';
import type { DeadLetter } from '@warren/amqp';
import { UsageError } from './arguments.js';
import { jsonLine } from './print.js';

/**
 * The file of `--save`: a JSON object per letter. It is on the disk before a letter may leave its queue, and
 * an older file is never written over.
 */
export class LetterFile {
  private constructor(private readonly file: FileHandle) {}

  /** @throws UsageError when it is there already or cannot be made */
  static async create(path: string): Promise<LetterFile> {
    try {
      // For the owner only: bodies may hold what not everybody should read.
      return new LetterFile(await open(path, 'wx', 0o600));
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      throw new UsageError(
        code === 'EEXIST'
          ? `${path} is there already; it is not written over`
          : `cannot write ${path} (${code})`,
      );
    }
  }

  async write(letters: readonly DeadLetter[]): Promise<void> {
    await this.file.appendFile(letters.map((letter) => `${jsonLine(letter)}\n`).join(''));
    await this.file.sync();
  }

  async close(): Promise<void> {
    await this.file.close();
  }
}
