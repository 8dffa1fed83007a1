// All that the management API answers.
import { accessRoutes } from './routes-access.js';
import { bindingRoutes } from './routes-bindings.js';
import { connectionRoutes } from './routes-connections.js';
import { definitionRoutes } from './routes-definitions.js';
import { exchangeRoutes } from './routes-exchanges.js';
import { healthRoutes } from './routes-health.js';
import { missingRoutes } from './routes-missing.js';
import { overviewRoutes } from './routes-overview.js';
import { policyRoutes } from './routes-policies.js';
import { queueRoutes } from './routes-queues.js';
import type { Route } from './router.js';

/** Paths after `/api`. Of two that fit, the first answers. */
export const ROUTES: readonly Route[] = [
  ...overviewRoutes,
  ...accessRoutes,
  ...connectionRoutes,
  ...queueRoutes,
  ...exchangeRoutes,
  ...bindingRoutes,
  ...policyRoutes,
  ...healthRoutes,
  ...definitionRoutes,
  ...missingRoutes,
];
