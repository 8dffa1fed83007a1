// The systems that meet bad inputs, and what is different about their wires: the envelope of Nest's transport, and
// the queues that a foreign program has to declare as they would.

const deadLettered = {
  durable: true,
  arguments: { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': 'numbered.dead' },
};

/**
 * `name` is the folder of its `peer.mjs`; `frame` and `answer` make the body of a request and of a reply.
 *
 * @typedef {object} System
 * @property {string} key
 * @property {string} name
 * @property {string} title
 * @property {{ careful?: boolean, retry?: { attempts: number, delays: number } }} settings
 * @property {boolean} [callsQueues]
 * @property {boolean} [declaresDeadLetters]
 * @property {(data: unknown, id?: string) => object} [frame]
 * @property {(response: unknown) => object} [answer]
 * @property {object} [queue] what a foreign program declares it with
 */

/**
 * In the order of the table's columns.
 *
 * @type {System[]}
 */
export const systems = [
  {
    key: 'warren',
    name: 'warren',
    title: 'Warren',
    // Two attempts close together, so that the outcome of a handler that throws can be waited for.
    settings: { retry: { attempts: 2, delays: 100 } },
    callsQueues: true,
    declaresDeadLetters: true,
  },
  { key: 'golevelup', name: 'golevelup', title: 'golevelup', settings: {} },
  {
    key: 'golevelup-defaults',
    name: 'golevelup',
    title: 'golevelup, its defaults',
    settings: { careful: false },
  },
  {
    key: 'nest-transport',
    name: 'nest-transport',
    title: "Nest's transport",
    settings: {},
    frame: (data, id) => ({ pattern: 'numbered', data, ...(id === undefined ? {} : { id }) }),
    answer: (response) => ({ response, isDisposed: true }),
    queue: deadLettered,
  },
];
