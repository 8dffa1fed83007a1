// Exchanges: a message goes to everybody, to those who want its severity, its topic, its headers.
import { quote } from '../picture.mjs';

/** @type {import('../scene.mjs').Play} */
export const broadcast = {
  title: 'Publish/subscribe: everybody who listens, and nothing for the late comer',
  async play(scene) {
    const early = await Promise.all([1, 2].map((n) => scene.consumer(`consumer ${n}`, 'fanout', 'logs')));
    await scene.send('fanout', 'logs', ['first']);
    const late = await scene.consumer('late comer', 'fanout', 'logs');
    await scene.send('fanout', 'logs', ['second']);
    await Promise.all([...early.map((consumer) => consumer.wait('got', 2)), late.wait('got')]);
    draw(scene, [quote('first'), quote('second')], 'exchange logs', [...early, late]);
    for (const { label, got } of early) scene.equal(`${label} got both`, got, ['first', 'second']);
    scene.equal('the late comer got only what was sent after it came', late.got, ['second']);
  },
};

/** @type {import('../scene.mjs').Play} */
export const direct = {
  title: 'Routing: by severity',
  async play(scene) {
    const [all, errors] = await Promise.all([
      scene.consumer('info, error', 'direct', 'direct_logs', ['info', 'error']),
      scene.consumer('error', 'direct', 'direct_logs', ['error']),
    ]);
    // The one that everybody wants goes last: whoever has it has got all that was meant for it.
    await Promise.all([
      scene.send('direct', 'direct_logs', ['info', 'started']),
      scene.send('direct', 'direct_logs', ['warning', 'disk 90 %']),
    ]);
    await scene.send('direct', 'direct_logs', ['error', 'disk full']);
    await Promise.all([all.wait('got', 2), errors.wait('got')]);
    draw(scene, ['info "started"', 'warning "disk 90 %"', 'error "disk full"'], 'exchange direct_logs', [
      all,
      errors,
    ]);
    scene.equal('who wants info and error got both, in order', all.got, ['started', 'disk full']);
    scene.equal('who wants error got only that', errors.got, ['disk full']);
  },
};

/** @type {import('../scene.mjs').Play} */
export const topic = {
  title: 'Topics: * is one word, # any number of words',
  async play(scene) {
    const [info, mysql, everything] = await Promise.all([
      scene.consumer('*.info', 'topic', 'topic_logs', ['*.info', 'end']),
      scene.consumer('*.mysql.error', 'topic', 'topic_logs', ['*.mysql.error', 'end']),
      scene.consumer('#', 'topic', 'topic_logs', ['#']),
    ]);
    const sent = ['cron.info', 'test.mysql.error', 'test.mysql.info', 'mysql.error', 'end'];
    await Promise.all(sent.slice(0, -1).map((key) => scene.send('topic', 'topic_logs', [key, key])));
    await scene.send('topic', 'topic_logs', ['end', 'end']);
    await Promise.all([info.wait('got', 2), mysql.wait('got', 2), everything.wait('got', 5)]);
    draw(scene, sent, 'exchange topic_logs', [info, mysql, everything]);
    scene.equal('*.info: two words, the second is info', info.got, ['cron.info', 'end']);
    scene.equal('*.mysql.error: three words', mysql.got, ['test.mysql.error', 'end']);
    scene.equal('#: everything', everything.got.sort(), sent.toSorted());
    scene.aside('"end" is wanted by all three; who has it has got all before it');
  },
};

/** @type {import('../scene.mjs').Play} */
export const headers = {
  title: 'Headers: all of them, or any of them',
  async play(scene) {
    const pairs = ['format=pdf', 'type=report'];
    const [all, any] = await Promise.all([
      scene.consumer('all of format=pdf type=report', 'headers', 'headers_logs', ['--all', ...pairs]),
      scene.consumer('any of format=pdf type=report', 'headers', 'headers_logs', ['--any', ...pairs]),
    ]);
    const sent = [
      ['format=zip', 'type=log', 'neither'],
      ['format=zip', 'type=report', 'one'],
      ['format=pdf', 'type=report', 'both'],
    ];
    await Promise.all(sent.slice(0, -1).map((words) => scene.send('headers', 'headers_logs', words)));
    await scene.send('headers', 'headers_logs', sent.at(-1) ?? []);
    await Promise.all([all.wait('got'), any.wait('got', 2)]);
    draw(
      scene,
      sent.map(([format, type, text]) => `${format} ${type} ${quote(text)}`),
      'exchange headers_logs',
      [all, any],
    );
    scene.equal('who wants all got the one with both', all.got, ['both']);
    scene.equal('who wants any got those with one and with both', any.got, ['one', 'both']);
  },
};

/**
 * @param {import('../scene.mjs').Scene} scene
 * @param {readonly string[]} sent
 * @param {string} place
 * @param {readonly import('../child.mjs').Child[]} consumers
 */
function draw(scene, sent, place, consumers) {
  scene.draw({
    sent,
    place,
    receivers: consumers.map(({ label, got }) => `${label}: ${got.map(quote).join(' ')}`),
  });
}
