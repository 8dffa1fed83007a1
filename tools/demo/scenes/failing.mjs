// Handlers that throw: tried again after a while, and put aside when the last attempt failed too.
import { quote } from '../picture.mjs';

/**
 * @typedef {import('../scene.mjs').Scene} Scene
 * @typedef {import('../child.mjs').Child} Child
 */

/** @type {import('../scene.mjs').Play} */
export const retry = {
  title: 'Retry: a handler that fails until its last attempt',
  async play(scene) {
    const worker = await scene.consumer('worker', 'work', 'retry_queue', ['--fail', '2']);
    await scene.send('work', 'retry_queue', ['flaky']);
    await worker.wait('done');
    draw(scene, 'flaky', 'queue retry_queue', `${attempts(worker)}, then done`);
    scene.equal('it was called three times: attempts 1, 2, 3', numbers(worker, 'got'), [1, 2, 3]);
    scene.equal('it threw twice', numbers(worker, 'failing'), [1, 2]);
    scene.equal('and nothing is left over', await left(scene, 'retry_queue'), [0, 0]);
  },
};

/** @type {import('../scene.mjs').Play} */
export const failure = {
  title: 'Dead letter: a handler that fails at its last attempt as well',
  async play(scene) {
    const worker = await scene.consumer('worker', 'work', 'broken_queue', ['--fail', '3']);
    await scene.send('work', 'broken_queue', ['hopeless']);
    const message = await scene.broker.next(`${scene.name('broken_queue')}.dead`);
    const { headers = {} } = message.properties;
    draw(scene, 'hopeless', 'queue broken_queue', `${attempts(worker)} ──▶ queue broken_queue.dead`);
    scene.equal('it was called three times and threw each time', numbers(worker, 'failing'), [1, 2, 3]);
    scene.equal('then the message went to the dead letters', message.content.toString(), 'hopeless');
    scene.equal('with the error that was thrown', headers['x-exception-message'], 'no luck at attempt 3');
    scene.equal('and it is not tried again', await left(scene, 'broken_queue'), [0, 0]);
    scene.aside(`its headers: ${told(headers)}`);
  },
};

/** @param {Scene} scene @param {string} text @param {string} place @param {string} what */
function draw(scene, text, place, what) {
  scene.draw({ sent: [quote(text)], place, receivers: [`worker: ${what}`] });
}

/** @param {Child} worker */
const attempts = (worker) => `attempts ${numbers(worker, 'failing').join(', ')} fail`;

/** @param {Child} worker @param {string} event */
const numbers = (worker, event) => worker.all(event).map(({ attempt }) => attempt);

/** @param {Scene} scene @param {string} where */
const left = (scene, where) =>
  Promise.all(['', '.dead'].map((suffix) => scene.broker.depth(`${scene.name(where)}${suffix}`)));

/** @param {import('amqplib').MessagePropertyHeaders} headers */
const told = (headers) =>
  Object.entries(headers)
    .filter(([name]) => /^x-(warren-(handler|reason)|exception-type)$/.test(name))
    .map(([name, value]) => `${name}: ${value}`)
    .join(', ');
