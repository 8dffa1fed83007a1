// The C command-line tools on the other side: shell scripts send to our handlers and take what our publisher sends.
import { expect, it } from '@jest/globals';
import { onEachBroker } from '../support/brokers.js';
import { until } from '../support/events.js';
import { application } from './application.js';
import { tool, toolService, withAmqpTools } from './program.js';
import { FibonacciHandlers, LogHandlers, TaskHandlers } from './tutorial-handlers.js';

onEachBroker('amqp-tools', (broker) => {
  withAmqpTools(() => {
    it('a queue of amqp-declare-queue is the one our handler consumes, and amqp-publish fills it', async () => {
      expect(await tool(broker.url, 'amqp-declare-queue', '-q', 'tasks', '-d')).toEqual(['tasks']);
      const { received } = await application(broker.url, [TaskHandlers]);
      await tool(broker.url, 'amqp-publish', '-r', 'tasks', '-b', 'a text');
      await tool(broker.url, 'amqp-publish', '-r', 'tasks', '-p', '-C', 'application/json', '-b', '{"id":7}');
      await tool(broker.url, 'amqp-publish', '-r', 'tasks', '-C', 'text/plain', '-b', '{"id":7}');
      expect(await received.take(3)).toEqual(['a text', { id: 7 }, '{"id":7}']);
    });

    it('amqp-publish to exchanges, with a key and with headers, reaches our subscribers', async () => {
      const { received } = await application(broker.url, [LogHandlers]);
      await tool(broker.url, 'amqp-publish', '-e', 'logs', '-b', 'to all');
      await tool(broker.url, 'amqp-publish', '-e', 'logs_topic', '-r', 'kern.info', '-b', 'line');
      await tool(
        broker.url,
        'amqp-publish',
        '-e',
        'reports',
        '-H',
        'format: pdf',
        '-H',
        'type: report',
        '-b',
        'Q3',
      );
      const got = await received.take(3);
      expect(got).toEqual(
        expect.arrayContaining([
          ['fanout', 'to all'],
          ['topic', 'line', 'kern.info'],
          ['headers', 'Q3'],
        ]),
      );
    });

    it('amqp-get and amqp-consume take what our publisher sends', async () => {
      await tool(broker.url, 'amqp-declare-queue', '-q', 'shell', '-d');
      const { publisher } = await application(broker.url);
      await publisher.send('shell', { id: 1 });
      expect(await tool(broker.url, 'amqp-get', '-q', 'shell')).toEqual(['{"id":1}']);
      for (const line of ['one\n', 'two\n']) await publisher.send('shell', line);
      expect(await tool(broker.url, 'amqp-consume', '-q', 'shell', '-c', '2', 'cat')).toEqual(['one', 'two']);
    });

    it('amqp-consume bound to our topic exchange gets what we publish to it', async () => {
      const { publisher } = await application(broker.url, [LogHandlers]);
      const args = ['-q', 'watch', '-x', '-e', 'logs_topic', '-r', 'mail.#', 'cat'];
      const consumer = toolService(broker.url, 'amqp-consume', ...args);
      // It does not say when its queue is bound; the receipt of our publish does.
      const publish = () => publisher.publish('mail.sent', 'you have mail\n', { exchange: 'logs_topic' });
      await until(async () => (await publish()).routed, 'amqp-consume to bind its queue');
      expect(await consumer.lines.one()).toBe('you have mail');
    });

    it('a request of amqp-publish is answered to the queue that it names', async () => {
      await tool(broker.url, 'amqp-declare-queue', '-q', 'answers', '-d');
      await application(broker.url, [FibonacciHandlers], { rpc: { replyTo: ['answers'] } });
      await tool(broker.url, 'amqp-publish', '-r', 'rpc_queue', '-t', 'answers', '-b', '30');
      expect(await tool(broker.url, 'amqp-consume', '-q', 'answers', '-c', '1', 'cat')).toEqual(['832040']);
    });
  });
});
