// Definitions: everything that is declared, to take away and to bring along.
import { exportDefinitions, exportVhost } from '../server/definitions-export.js';
import { readDefinitions } from '../server/definitions-file.js';
import { importDefinitions } from '../server/definitions-import.js';
import { type Call, done, ok, type Reply } from './call.js';
import { Refusal } from '../model/refusal.js';
import type { Route } from './router.js';

const needs = 'administrator';

export const definitionRoutes: readonly Route[] = [
  {
    path: '/definitions',
    needs,
    GET: ({ management }) => ok(exportDefinitions(management.house)),
    POST: load,
  },
  { path: '/definitions/:vhost', needs, GET: oneVhost, POST: load },
];

function oneVhost({ management, params }: Call): Reply {
  const vhost = management.house.vhosts.get(params.vhost);
  if (!vhost) throw new Refusal('bad_request', 'vhost_not_found');
  return ok(exportVhost(management.house, vhost));
}

function load({ management, params, body }: Call): Reply {
  if (params.vhost !== undefined && !management.house.vhosts.has(params.vhost)) {
    throw new Refusal('not_found', 'vhost_not_found');
  }
  importDefinitions(management.administration, readDefinitions(body, params.vhost));
  return done;
}
