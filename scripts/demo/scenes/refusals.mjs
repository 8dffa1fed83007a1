// What is refused says so: a message that nobody can receive, a password that is wrong, a vhost that is not there.
import { quote } from '../picture.mjs';

export const unroutable = {
  title: 'A message that nobody can receive comes back',
  async play(scene) {
    const sent = await scene.producer('simple', 'no_such_queue', ['Is anybody there?']);
    scene.draw({
      sent: [quote('Is anybody there?')],
      place: '(no queue no_such_queue)',
      receivers: ['back to the producer'],
    });
    refused(scene, 'to a queue that does not exist: an error', sent, 'UnroutableError');
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
    refused(scene, 'with --mandatory: an error', returned, 'UnroutableError');
  },
};

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

async function visit(scene, url) {
  const outside = await scene.consumer('consumer outside', 'fanout', 'vhost_logs');
  const inside = await scene.consumer('consumer inside', 'fanout', 'vhost_logs', [], url);
  await scene.send('fanout', 'vhost_logs', ['a secret'], url);
  await scene.send('fanout', 'vhost_logs', ['for all']);
  await Promise.all([inside.wait('got'), outside.wait('got')]);
  for (const [who, consumer] of [
    ['inside', inside],
    ['outside', outside],
  ])
    scene.draw({
      from: `producer ${who}`.padEnd(16),
      sent: [consumer.got.map(quote).join(' ')],
      place: 'exchange logs',
      receivers: [consumer.label],
    });
  scene.equal('in the vhost its own user receives', inside.got, ['a secret']);
  scene.equal('the same exchange in another vhost is another one', outside.got, ['for all']);
  const [wrongPassword, wrongVhost] = [new URL(url), new URL(url)];
  wrongPassword.password = 'guess';
  wrongVhost.pathname = '/no-such-vhost';
  for (const [text, wrong, wanted] of [
    ['a wrong password is refused at once', wrongPassword, /password/],
    ['so is a vhost that is not there', wrongVhost, /virtual host/],
  ]) {
    const attempt = await scene.producer('fanout', 'vhost_logs', ['?'], wrong.href);
    refused(scene, text, attempt, 'ConnectionRefusedError', wanted);
  }
}

function refused(scene, text, { code, events }, name, message = /./) {
  const error = events.find(({ event }) => event === 'failed');
  scene.check(text, code === 1 && error?.name === name && message.test(error.message), JSON.stringify(error));
  if (error) scene.aside(error.message);
}
