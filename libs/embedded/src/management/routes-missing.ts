// Settings of RabbitMQ's management API that this broker does not have. Requests for them fail, rather than seem to work.
import { badRequest } from '../model/refusal.js';
import type { Route } from './router.js';

function lacking(what: string): () => never {
  return () => {
    throw badRequest(`the embedded broker has no ${what}`);
  };
}

const limits = lacking('limits on users and virtual hosts');
const parameters = lacking('parameters of plugins');
export const tracing = lacking('tracing');

export const missingRoutes: readonly Route[] = [
  { path: '/user-limits/:user/:name', needs: 'administrator', PUT: limits, DELETE: limits },
  { path: '/vhost-limits/:vhost/:name', needs: 'administrator', PUT: limits, DELETE: limits },
  { path: '/parameters/:component/:vhost/:name', needs: 'policymaker', PUT: parameters, DELETE: parameters },
  { path: '/global-parameters/:name', needs: 'administrator', PUT: parameters, DELETE: parameters },
  { path: '/traces/:vhost/:name', needs: 'administrator', PUT: tracing, DELETE: tracing },
];
