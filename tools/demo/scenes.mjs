// All scenes, in the order in which they are played: first how messages find their way, then what can go wrong.
import { broadcast, direct, headers, topic } from './scenes/routing.mjs';
import { access, unroutable } from './scenes/refusals.mjs';
import { failure, retry } from './scenes/failing.mjs';
import { killed, lost, restart } from './scenes/crashes.mjs';
import { fair, roundRobin, simple } from './scenes/queues.mjs';
import { rpc, rpcError } from './scenes/rpc.mjs';

export const scenes = [
  simple,
  roundRobin,
  fair,
  broadcast,
  direct,
  topic,
  headers,
  rpc,
  rpcError,
  killed,
  lost,
  retry,
  failure,
  unroutable,
  access,
  restart,
];
