// A command line that makes no sense: what is wrong, how it is meant, exit code 2, and no broker is asked.
import { describe, expect, it } from '@jest/globals';
import { readCommandLine as readConsumer } from '../../apps/consumer/src/command-line.js';
import { readCommandLine as readProducer } from '../../apps/producer/src/command-line.js';
import { lines, start, withApplications } from './demo-processes.js';

withApplications();

const readers = { consumer: readConsumer, producer: readProducer };

describe.each(['consumer', 'producer'] as const)('usage of the %s', (name) => {
  it('a wrong command line ends it with code 2 and the usage', async () => {
    const child = start(name, ['bunny']);
    expect(await child.ended).toEqual({ code: 2, signal: null });
    expect(child.complaints).toMatch(/^There is no pattern 'bunny'\./);
    expect(child.complaints).toContain(`npm run ${name} -- <pattern>`);
    expect(lines(child)).toEqual([]);
  });

  it('--help shows the usage and is no error', async () => {
    const child = start(name, ['--help']);
    expect(await child.ended).toEqual({ code: 0, signal: null });
    expect(lines(child).join('\n')).toContain('Examples, each in a terminal of its own:');
  });

  it.each<[string[], RegExp]>([
    [[], /^Which pattern\?/],
    [['bunny'], /^There is no pattern 'bunny'\./],
    [['simple', 'x', '--bunny'], /^Unknown option '--bunny'/],
    [['direct'], /^'direct' needs /],
    [['headers', 'pdf'], /^('pdf' is not of the form name=value\.|'headers' needs name=value, then)/],
  ])('%j is refused', (args, message) => {
    refuses(name, args, message);
  });
});

it.each<[string[], RegExp]>([
  [['simple', 'surprise'], /^'simple' takes no further words, but there is 'surprise'\./],
  [['simple', '--prefetch', '1'], /^--prefetch is an option of 'work', not of 'simple'\./],
  [['simple', '--concurrency', '2'], /^--concurrency is an option of 'work', not of 'simple'\./],
  [['simple', '--shutdown', 'soon'], /^--shutdown must be a number from 0, but is 'soon'\./],
  [['work', '--prefetch', '0'], /^--prefetch must be a number from 1, but is '0'\./],
  [['work', '--ack', 'maybe'], /^--ack must be auto or none, but is 'maybe'\./],
  [['headers', '--all', '--any', 'a=b'], /^Either --all or --any\./],
])('the consumer refuses %j', (args, message) => {
  refuses('consumer', args, message);
});

it.each<[string[], RegExp]>([
  [['simple'], /^'simple' needs something to send\./],
  [['direct', 'error'], /^'direct' needs a message after 'error'\./],
  [['headers', 'a=b'], /^'headers' needs name=value, then the message\./],
  [['simple', 'x', '--repeat', '2'], /^--repeat is an option of 'work', not of 'simple'\./],
  [['work', 'x', '--repeat', '0'], /^--repeat must be a number from 1, but is '0'\./],
])('the producer refuses %j', (args, message) => {
  refuses('producer', args, message);
});

function refuses(name: keyof typeof readers, args: readonly string[], message: RegExp): void {
  expect(readers[name](args)).toEqual({ kind: 'wrong', message: expect.stringMatching(message) });
}
