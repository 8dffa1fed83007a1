// The views, in the order of the navigation, with the key that follows `g`.
import type { ComponentType } from 'preact';
import type { IconName } from '../parts/icons.js';
import { Calls } from '../views/calls.js';
import { DeadLetters } from '../views/dead-letters.js';
import { Handlers } from '../views/handlers.js';
import { History } from '../views/history.js';
import { Journey } from '../views/journey.js';
import { Publish } from '../views/publish.js';
import { Services } from '../views/services.js';
import { Tail } from '../views/tail.js';
import { Topology } from '../views/topology.js';
import { Waiting } from '../views/waiting.js';

export interface ViewEntry {
  readonly name: string;
  readonly title: string;
  readonly icon: IconName;
  readonly key: string;
  readonly show: ComponentType;
}

/** The view of an address that names none. */
export const firstView = 'handlers';

export const views: readonly ViewEntry[] = [
  { name: 'services', title: 'Services', icon: 'services', key: 's', show: Services },
  { name: 'handlers', title: 'Handlers', icon: 'handlers', key: 'h', show: Handlers },
  { name: 'dead-letters', title: 'Dead letters', icon: 'dead', key: 'd', show: DeadLetters },
  { name: 'waiting', title: 'Waiting', icon: 'waiting', key: 'w', show: Waiting },
  { name: 'calls', title: 'Calls', icon: 'calls', key: 'c', show: Calls },
  { name: 'topology', title: 'Topology', icon: 'topology', key: 't', show: Topology },
  { name: 'journey', title: 'Journey', icon: 'journey', key: 'j', show: Journey },
  { name: 'tail', title: 'Live tail', icon: 'tail', key: 'l', show: Tail },
  { name: 'publish', title: 'Publish', icon: 'publish', key: 'p', show: Publish },
  { name: 'history', title: 'History', icon: 'history', key: 'y', show: History },
];
