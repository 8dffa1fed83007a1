// What is refused says so: a message that nobody can receive, a password that is wrong, a vhost that is not there.
import { quote } from '../picture.mjs';

/** @type {import('../scene.mjs').Play} */
export const unroutable = {
  title: 'A message that nobody can receive comes back',
  async play(scene) {
    const sent = await scene.producer('simple', 'no_such_queue', ['Is anybody there?']);
    scene.draw({
      sent: [quote('Is anybody there?')],
      place: '(no queue no_such_queue)',
      receivers: ['back to the producer'],
    });
    scene.refused('to a queue that does not exist: an error', sent, 'UnroutableError');
    const dropped = await scene.send('direct', 'quiet_logs', ['debug', 'nobody wants this']);
    scene.draw({
      sent: ['debug "nobody wants this"'],
      place: 'exchange quiet_logs',
      receivers: ['(nobody wants debug)'],
    });
    scene.equal(
      'to an exchange: no error, and the producer is told',
      dropped.find(({ event }) => event === 'sent')?.routed,
      false,
    );
    const returned = await scene.producer('direct', 'quiet_logs', ['debug', 'somebody must', '--mandatory']);
    scene.refused('with --mandatory: an error', returned, 'UnroutableError');
  },
};

/** @type {import('../scene.mjs').Play} */
export const access = {
  title: 'A user and a vhost of its own',
  async play(scene) {
    const access = await scene.broker.access();
    if (access === undefined) {
      scene.cannot(
        'a user and a vhost can be made only through the management API, which does not answer. Try --management.',
      );
      return;
    }
    try {
      await visit(scene, access.url);
    } finally {
      await access.remove();
    }
  },
};

/** @param {import('../scene.mjs').Scene} scene @param {string} url */
async function visit(scene, url) {
  const [outside, inside] = await Promise.all([
    scene.consumer('consumer outside', 'fanout', 'logs_of_two'),
    scene.consumer('consumer inside', 'fanout', 'logs_of_two', [], url),
  ]);
  await Promise.all([
    scene.send('fanout', 'logs_of_two', ['a secret'], url),
    scene.send('fanout', 'logs_of_two', ['for all']),
  ]);
  await Promise.all([inside.wait('got'), outside.wait('got')]);
  for (const [who, consumer] of Object.entries({ inside, outside }))
    scene.draw({
      from: `producer ${who}`.padEnd(16),
      sent: [who === 'inside' ? quote('a secret') : quote('for all')],
      least: 10,
      place: 'exchange logs_of_two',
      receivers: [`${consumer.label}: ${consumer.got.map(quote).join(' ')}`],
    });
  scene.equal('in the vhost its own user receives', inside.got, ['a secret']);
  scene.equal('the same exchange in another vhost is another one', outside.got, ['for all']);
  const [wrongPassword, wrongVhost] = [new URL(url), new URL(url)];
  wrongPassword.password = 'guess';
  wrongVhost.pathname = '/no-such-vhost';
  const [guessed, nowhere] = await Promise.all(
    [wrongPassword, wrongVhost].map(({ href }) => scene.producer('fanout', 'logs_of_two', ['?'], href)),
  );
  scene.refused('a wrong password is refused', guessed, 'ConnectionRefusedError', /password/);
  scene.refused('a vhost that is not there as well', nowhere, 'ConnectionRefusedError', /virtual host/);
  await inside.stop();
}
