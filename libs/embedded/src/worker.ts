// The broker in a worker thread: starts it with the given options and executes the commands that it receives.
import { parentPort, workerData } from 'node:worker_threads';
import type { Answer, Request } from './host.js';
import { type Command, RunningBroker, type RunningOptions } from './running.js';

function carriedOut(broker: RunningBroker, id: number, command: Command): Answer {
  try {
    return { kind: 'done', id, result: broker.perform(command) };
  } catch (error) {
    return { kind: 'refused', id, error: error instanceof Error ? error : new Error(String(error)) };
  }
}

const port = parentPort;
if (port) {
  const tell = (answer: Answer): void => port.postMessage(answer);
  const logger = {
    log: (message: string) => tell({ kind: 'log', message }),
    warn: (message: string) => tell({ kind: 'warn', message }),
  };
  const options: RunningOptions = { ...(workerData as Omit<RunningOptions, 'logger'>), logger };
  RunningBroker.start(options).then(
    (broker) => {
      port.on('message', ({ id, command }: Request) => {
        if (command === 'close') {
          void broker.close().then(() => tell({ kind: 'done', id, result: undefined }));
        } else {
          tell(carriedOut(broker, id, command));
        }
      });
      const { managementPort, knowsUsers } = broker;
      tell({ kind: 'listening', port: broker.port, managementPort, knowsUsers });
    },
    (error: unknown) =>
      tell({ kind: 'failed', error: error instanceof Error ? error : new Error(String(error)) }),
  );
}
