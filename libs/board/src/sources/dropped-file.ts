// Dropped messages in a file of their own, one JSON object a line, as `warren dead drop --save` writes them: on the disk before
// they are gone from the queue.

import { randomBytes } from 'node:crypto';
import { type FileHandle, mkdir, open } from 'node:fs/promises';
import { join } from 'node:path';
import { type DeadLetter, systemClock } from '@warren/nestjs';

/** See above. */
export class DroppedFile {
  private constructor(
    readonly name: string,
    private readonly file: FileHandle,
  ) {}

  /** A new file, for its owner only. */
  static async open(folder: string, queue: string): Promise<DroppedFile> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const time = new Date(systemClock.wall()).toISOString().replace(/[:.]/g, '-');
    // A name of a queue may be anything, and must not lead elsewhere.
    const safe = queue.replace(/[^\w-]+/g, '_').slice(0, 100);
    const name = `${safe}-${time}-${randomBytes(3).toString('hex')}.jsonl`;
    return new DroppedFile(name, await open(join(folder, name), 'wx', 0o600));
  }

  async write(letters: readonly DeadLetter[]): Promise<void> {
    await this.file.appendFile(letters.map(line).join(''));
    await this.file.sync();
  }

  close(): Promise<void> {
    return this.file.close();
  }
}

function line({ content, ...letter }: DeadLetter): string {
  const text = content.toString('utf8');
  const body = Buffer.from(text).equals(content)
    ? { body: text }
    : { bodyBase64: content.toString('base64') };
  return `${JSON.stringify({ ...letter, ...body })}\n`;
}
