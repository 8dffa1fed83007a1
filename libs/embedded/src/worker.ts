// The broker in a worker thread: starts a listener with the options it was given and carries out what it is sent.
import { parentPort, workerData } from 'node:worker_threads';
import type { Answer, Request } from './host.js';
import { type Command, Listener, type ListenerOptions } from './server/listener.js';

function carriedOut(listener: Listener, id: number, command: Command): Answer {
  try {
    return { kind: 'done', id, result: listener.perform(command) };
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
  const options: ListenerOptions = { ...(workerData as Omit<ListenerOptions, 'logger'>), logger };
  Listener.start(options).then(
    (listener) => {
      port.on('message', ({ id, command }: Request) => {
        if (command === 'close') {
          void listener.close().then(() => tell({ kind: 'done', id, result: undefined }));
        } else {
          tell(carriedOut(listener, id, command));
        }
      });
      tell({ kind: 'listening', port: listener.port });
    },
    (error: unknown) =>
      tell({ kind: 'failed', error: error instanceof Error ? error : new Error(String(error)) }),
  );
}
