// A cluster of three nodes loses one, in every way it can: what was confirmed is handled or a dead letter, and both
// directions go on. `WARREN_FAULTS=all` runs the long ones too.

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { canCluster, startCluster, type RabbitMQCluster } from '../../../tools/rabbitmq-cluster.mjs';
import { clusterFaults } from './faults.js';
import { Flow } from './flow.js';

const MINUTES = 500_000;
const all = process.env.WARREN_FAULTS === 'all';

if (process.env.RABBITMQ_URL && canCluster()) {
  describe('a RabbitMQ cluster of three', () => {
    let cluster: RabbitMQCluster;
    beforeAll(async () => {
      cluster = await startCluster({ settings: ['net_ticktime = 8'] });
    }, MINUTES);
    afterAll(() => cluster?.stop(), MINUTES);

    it.each(clusterFaults.filter(({ quick }) => quick || all).map((fault, index) => ({ ...fault, index })))(
      '$name: messages go on, none that was confirmed is lost',
      async ({ name, index, within, patience, strike, mend }) => {
        const flow = new Flow(cluster, `flow.${index}`);
        await flow.start();
        try {
          await strike(cluster, flow);
          await flow.progress(within);
        } finally {
          await mend(cluster);
        }
        await flow.progress();
        const account = await flow.end(patience);
        if (all) process.stdout.write(`${name}: ${JSON.stringify(account)}\n`);
        expect(account.confirmed).toBeGreaterThan(100);
        expect(account.lost).toEqual([]);
        // Beyond the time in which nothing moved at all. The broker's own way back may stand still for three minutes.
        expect(account.latest - account.silence.consuming).toBeLessThan(30_000);
      },
      MINUTES,
    );
  });
} else {
  // Jest wants a test in every file.
  it('needs the programs rabbitmq-server and epmd to start a cluster', () =>
    expect(process.env.RABBITMQ_URL && canCluster()).toBeFalsy());
}
