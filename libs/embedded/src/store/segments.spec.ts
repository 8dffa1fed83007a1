import { pbkdf2 } from 'node:crypto';
import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from '@jest/globals';
import { SegmentWriter } from './segments.js';

it('a file that is closed while the disk is awaited stays open until the disk has it', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'warren-segments-'));
  const writer = new SegmentWriter(folder, 1);
  writer.write(Buffer.from('x'));
  // The four threads for such calls have other work, so the call is made when the file has been closed.
  for (let n = 0; n < 4; n += 1) pbkdf2('x', 'y', 50_000, 32, 'sha256', () => undefined);
  const synced = new Promise<Error | null>((resolve) => writer.syncLater(resolve));
  writer.close();
  // It would get the number of the closed file.
  const other = openSync('/dev/null', 'r');
  expect(await synced).toBeNull();
  closeSync(other);
  rmSync(folder, { recursive: true });
});
