// Processes that die: a worker in the middle of a task, with and without acknowledgements, and the broker itself.
import { quote } from '../picture.mjs';

/** A dot that takes longer than the demo: the worker is killed in the middle of it. */
const endless = ['--dot', '99999'];
const quick = ['--dot', '10'];

/** @type {import('../scene.mjs').Play} */
export const killed = {
  title: 'A worker is killed in the middle of a task (SIGKILL)',
  async play(scene) {
    const victim = await scene.consumer('worker 1', 'work', 'crash_queue', endless);
    await scene.send('work', 'crash_queue', ['important.', 'also important.']);
    await victim.wait('got');
    const heir = await scene.consumer('worker 2', 'work', 'crash_queue', quick);
    const { signal } = await victim.kill();
    await heir.wait('done', 2);
    scene.draw({
      sent: [quote('important.'), quote('also important.')],
      place: 'queue crash_queue',
      receivers: [
        `worker 1: started ${victim.got.map(quote).join(' ')}, killed`,
        `worker 2: ${heir.got.map(quote).join(' ')}`,
      ],
    });
    scene.check(
      'worker 1 had begun and never finished',
      signal === 'SIGKILL' && victim.all('done').length === 0,
    );
    scene.equal('both tasks went to worker 2: none is lost', heir.got.sort(), [
      'also important.',
      'important.',
    ]);
    const [again] = heir.all('got').filter(({ text }) => text === 'important.');
    scene.check('the broker marks the task as delivered before', again?.redelivered === true);
  },
};

/** @type {import('../scene.mjs').Play} */
export const lost = {
  title: 'The same without acknowledgements (--ack none): the task is lost',
  async play(scene) {
    const victim = await scene.consumer('worker 1', 'work', 'noack_queue', ['--ack', 'none', ...endless]);
    await scene.send('work', 'noack_queue', ['important.']);
    await victim.wait('got');
    await victim.kill();
    const left = await scene.broker.depth(scene.name('noack_queue'));
    const heir = await scene.consumer('worker 2', 'work', 'noack_queue', quick);
    // Queues keep the order: had the task come back, it would arrive before this one.
    await scene.send('work', 'noack_queue', ['a later task.']);
    await heir.wait('done');
    scene.draw({
      sent: [quote('important.'), quote('a later task.')],
      place: 'queue noack_queue',
      receivers: [
        `worker 1: started ${victim.got.map(quote).join(' ')}, killed`,
        `worker 2: ${heir.got.map(quote).join(' ')}`,
      ],
    });
    scene.equal('the broker forgot the task when it handed it out: none is left', left, 0);
    scene.equal('worker 2 got only the later one', heir.got, ['a later task.']);
    scene.say(
      '"important." is lost. That is what --ack none means: fast, and a crash loses what was under way.',
    );
  },
};

/** @type {import('../scene.mjs').Play} */
export const restart = {
  title: 'The broker restarts: durable queue, persistent messages',
  alone: true,
  async play(scene) {
    const tasks = ['before 1', 'before 2', 'before 3'];
    await scene.send('work', 'durable_queue', tasks);
    scene.equal(
      'three tasks wait, and no worker is there',
      await scene.broker.depth(scene.name('durable_queue')),
      3,
    );
    if (!(await scene.broker.restart())) {
      scene.cannot(
        'the demo cannot restart your RabbitMQ. With --restart "<command>" it can: the tasks then survive.',
      );
      return;
    }
    const worker = await scene.consumer('worker', 'work', 'durable_queue', quick);
    await worker.wait('done', 3);
    scene.draw({
      sent: tasks.map(quote),
      place: 'queue durable_queue ── restart',
      receivers: [`worker: ${worker.got.map(quote).join(' ')}`],
    });
    scene.equal('after the restart the worker got all three, in order', worker.got, tasks);
  },
};
