// What the parts of an import say to each other.
import { queue, rpc } from '@warren/nestjs';
import { z } from 'zod';

/** One line of a file. The id of the import and the line make it unique, however often it is delivered. */
const row = z.object({ importId: z.string(), line: z.number(), text: z.string() });
export type Row = z.infer<typeof row>;
export const Rows = queue('import.rows', { payload: row });

const progress = z.object({ rows: z.number(), stored: z.number(), rejected: z.number() });
export type Progress = z.infer<typeof progress>;

/** A stream: an item each time there is something new, until the import is complete. */
export const WatchImport = rpc('import.watch', {
  request: z.object({ importId: z.string() }),
  response: progress,
});
