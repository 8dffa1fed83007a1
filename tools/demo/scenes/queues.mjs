// One queue: one consumer, several that take turns, several of which one is slow.
import { until } from '../child.mjs';
import { quote } from '../picture.mjs';

/** @type {import('../scene.mjs').Play} */
export const simple = {
  title: 'Hello World: one queue, one consumer',
  async play(scene) {
    const consumer = await scene.consumer('consumer', 'simple', 'hello');
    await scene.send('simple', 'hello', ['Hello World!']);
    await consumer.wait('got');
    scene.draw({
      sent: [quote('Hello World!')],
      place: 'queue hello',
      receivers: [`consumer: ${list(consumer.got)}`],
    });
    scene.equal('the consumer got it, once', consumer.got, ['Hello World!']);
  },
};

/** @type {import('../scene.mjs').Play} */
export const roundRobin = {
  title: 'Work queue: three workers take turns',
  async play(scene) {
    const workers = await Promise.all(
      [1, 2, 3].map((n) => scene.consumer(`worker ${n}`, 'work', 'task_queue')),
    );
    const tasks = ['1', '2', '3', '4', '5', '6', '7', '8', '9'];
    await scene.send('work', 'task_queue', tasks);
    await Promise.all(workers.map((worker) => worker.wait('done', 3)));
    drawWork(scene, `${quote('1')} ... ${quote('9')}`, workers, 'task_queue');
    scene.equal(
      'each worker got three of nine',
      workers.map(({ got }) => got.length),
      [3, 3, 3],
    );
    scene.check(
      'in turn: every third task',
      workers.every(({ got }) => got.every((text) => (Number(text) - Number(got[0])) % 3 === 0)),
    );
    scene.equal('none is lost, none came twice', workers.flatMap(({ got }) => got).sort(), tasks);
  },
};

/** @type {import('../scene.mjs').Play} */
export const fair = {
  title: 'Fair dispatch: with prefetch 1 a slow worker gets less',
  async play(scene) {
    const [slow, fast] = await Promise.all([
      scene.consumer('slow worker', 'work', 'fair_queue', ['--prefetch', '1', '--dot', '1500']),
      scene.consumer('fast worker', 'work', 'fair_queue', ['--prefetch', '1', '--dot', '20']),
    ]);
    const tasks = ['a.', 'b.', 'c.', 'd.', 'e.', 'f.', 'g.', 'h.'];
    await scene.send('work', 'fair_queue', tasks);
    const finished = () => slow.all('done').length + fast.all('done').length;
    const missing = () => `only ${finished()} of ${tasks.length} tasks were done`;
    await until([slow, fast], () => finished() === tasks.length, missing);
    drawWork(scene, `${quote('a.')} ... ${quote('h.')}`, [slow, fast], 'fair_queue');
    scene.check(
      `the slow worker got ${slow.got.length}, the fast one ${fast.got.length} of ${tasks.length}`,
      slow.got.length > 0 && slow.got.length < fast.got.length,
    );
    scene.equal('none is lost, none came twice', [...slow.got, ...fast.got].sort(), tasks);
  },
};

/**
 * @param {import('../scene.mjs').Scene} scene
 * @param {string} sent
 * @param {readonly import('../child.mjs').Child[]} workers
 * @param {string} queue
 */
function drawWork(scene, sent, workers, queue) {
  scene.draw({
    sent: [sent],
    place: `queue ${queue}`,
    receivers: workers.map(({ label, got }) => `${label}: ${list(got)}`),
  });
}

/** @param {readonly string[]} texts */
const list = (texts) => texts.map(quote).join(' ');
