// Tests with a Prometheus of their own, of Debian's package; without it they are skipped, and `npm test` names them.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe } from '@jest/globals';
import { until } from './events.js';

/** A Prometheus that scrapes. */
export interface PrometheusServer {
  /** The first value that a query has now; undefined without one. */
  ask(query: string): Promise<number | undefined>;
}

/** Starts them. They end with the test. */
export interface PrometheusServers {
  /** One that scrapes this address twice a second. */
  scraping(address: string): Promise<PrometheusServer>;
}

export function withPrometheus(title: string, body: (servers: PrometheusServers) => void): void {
  const installed = spawnSync('prometheus', ['--version']).status === 0;
  if (!installed)
    console.log(`prometheus is not installed, so "${title}" was not tested: apt-get install prometheus`);
  const ends: (() => Promise<void>)[] = [];
  (installed ? describe : describe.skip)(title, () => {
    afterEach(async () => {
      await Promise.all(ends.splice(0).map((end) => end()));
    });
    body({
      async scraping(address) {
        const folder = await mkdtemp(join(tmpdir(), 'warren-prometheus-'));
        const { host, pathname } = new URL(address);
        const configuration = {
          global: { scrape_interval: '500ms', scrape_timeout: '500ms' },
          scrape_configs: [
            { job_name: 'warren', metrics_path: pathname, static_configs: [{ targets: [host] }] },
          ],
        };
        await writeFile(join(folder, 'prometheus.yml'), JSON.stringify(configuration));
        const flags = [`--config.file=${folder}/prometheus.yml`, `--storage.tsdb.path=${folder}/data`];
        const process = spawn('prometheus', [...flags, '--web.listen-address=127.0.0.1:0'], {
          stdio: ['ignore', 'ignore', 'pipe'],
        });
        ends.push(async () => {
          await killed(process);
          await rm(folder, { recursive: true, force: true });
        });
        let log = '';
        process.stderr.on('data', (text: Buffer) => (log += text.toString()));
        const listening = await until(
          () => /address=(127\.0\.0\.1:[1-9]\d*)/.exec(log)?.[1] ?? false,
          'Prometheus to listen',
        );
        return { ask: (query) => answer(listening, query) };
      },
    });
  });
}

async function killed(process: ChildProcess): Promise<void> {
  const ended = once(process, 'exit');
  process.kill('SIGKILL');
  await ended;
}

async function answer(listening: string, query: string): Promise<number | undefined> {
  const response = await fetch(`http://${listening}/api/v1/query?query=${encodeURIComponent(query)}`);
  // Not before it has read its storage.
  if (!response.ok) return undefined;
  const { data } = (await response.json()) as { data?: { result: { value: [number, string] }[] } };
  const value = data?.result[0]?.value[1];
  return value === undefined ? undefined : Number(value);
}
