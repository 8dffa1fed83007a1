// A command line that makes no sense: what is wrong, how it is meant, exit code 2, and no broker is asked.
import { describe, expect, it } from '@jest/globals';
import { lines, start, withApplications } from './demo-processes.js';

withApplications();

describe.each(['consumer', 'producer'] as const)('usage of the %s', (name) => {
  it.each([
    [[], /^Which pattern\?/],
    [['bunny'], /^There is no pattern 'bunny'\./],
    [['simple', 'x', '--bunny'], /^Unknown option '--bunny'/],
    [['direct'], /^'direct' needs /],
    [['headers', 'pdf'], /^('pdf' is not of the form name=value\.|'headers' needs name=value, then)/],
  ])('%j is refused with the usage', async (args, message) => {
    const child = start(name, args);
    expect(await child.ended).toEqual({ code: 2, signal: null });
    expect(child.complaints).toMatch(message);
    expect(child.complaints).toContain(`npm run ${name} -- <pattern>`);
    expect(lines(child)).toEqual([]);
  });

  it('--help shows the usage and is no error', async () => {
    const child = start(name, ['--help']);
    expect(await child.ended).toEqual({ code: 0, signal: null });
    expect(lines(child).join('\n')).toContain('Examples, each in a terminal of its own:');
  });
});

describe('usage of the consumer in particular', () => {
  it.each([
    [['simple', 'surprise'], /^'simple' takes no further words, but there is 'surprise'\./],
    [['simple', '--prefetch', '1'], /^--prefetch is an option of 'work', not of 'simple'\./],
    [['simple', '--concurrency', '2'], /^--concurrency is an option of 'work', not of 'simple'\./],
    [['simple', '--shutdown', 'soon'], /^--shutdown must be a number from 0, but is 'soon'\./],
    [['work', '--prefetch', '0'], /^--prefetch must be a number from 1, but is '0'\./],
    [['work', '--ack', 'maybe'], /^--ack must be auto or none, but is 'maybe'\./],
    [['headers', '--all', '--any', 'a=b'], /^Either --all or --any\./],
  ])('%j is refused', async (args, message) => {
    const child = start('consumer', args);
    expect(await child.ended).toEqual({ code: 2, signal: null });
    expect(child.complaints).toMatch(message);
  });
});

describe('usage of the producer in particular', () => {
  it.each([
    [['simple'], /^'simple' needs something to send\./],
    [['direct', 'error'], /^'direct' needs a message after 'error'\./],
    [['headers', 'a=b'], /^'headers' needs name=value, then the message\./],
    [['simple', 'x', '--repeat', '2'], /^--repeat is an option of 'work', not of 'simple'\./],
    [['work', 'x', '--repeat', '0'], /^--repeat must be a number from 1, but is '0'\./],
  ])('%j is refused', async (args, message) => {
    const child = start('producer', args);
    expect(await child.ended).toEqual({ code: 2, signal: null });
    expect(child.complaints).toMatch(message);
  });
});
