// Calls: an answer, an error as an answer, and nobody who could answer.
import { quote } from '../picture.mjs';

/** @type {import('../scene.mjs').Play} */
export const rpc = {
  title: 'RPC: ask and get the answer',
  async play(scene) {
    const server = await scene.consumer('consumer', 'rpc', 'rpc_queue');
    const events = await scene.send('rpc', 'rpc_queue', ['30', '10']);
    await server.wait('done', 2);
    const answers = events.filter(({ event }) => event === 'answered').map(({ answer }) => answer);
    scene.draw({
      sent: ['30', '10'].map((n) => `fib(${n})?`),
      place: 'queue rpc_queue',
      receivers: [`consumer: answers ${answers.join(', ')}`],
    });
    scene.equal('fib(30) is 832040 and fib(10) is 55', answers, [832040, 55]);
    scene.equal('each question was asked once', server.got, ['30', '10']);
  },
};

/** @type {import('../scene.mjs').Play} */
export const rpcError = {
  title: 'RPC: an error is an answer as well',
  async play(scene) {
    const nobody = await scene.producer('rpc', 'nobody_queue', ['30']);
    scene.draw({ sent: ['fib(30)?'], place: 'queue nobody_queue', receivers: ['(no consumer)'] });
    scene.refused('with nobody there the caller knows at once', nobody, 'RpcNoServerError');
    const server = await scene.consumer('consumer', 'rpc', 'fib_queue');
    const thrown = await scene.producer('rpc', 'fib_queue', ['1000']);
    scene.draw({
      sent: ['fib(1000)?'],
      place: 'queue fib_queue',
      receivers: [`consumer: throws ${quote('fib(n) needs ...')}`],
    });
    scene.refused(
      'the caller gets what the handler threw',
      thrown,
      'RpcRemoteError',
      /whole number from 0 to 78/,
    );
    const [{ answer }] = (await scene.send('rpc', 'fib_queue', ['20'])).filter(
      ({ event }) => event === 'answered',
    );
    scene.equal('and the consumer goes on answering: fib(20) is 6765', answer, 6765);
    scene.equal('nothing was asked twice', server.got, ['1000', '20']);
  },
};
