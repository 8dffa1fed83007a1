// Whose message is being handled: known to every service that a handler calls, without a parameter.
import { AsyncLocalStorage } from 'node:async_hooks';

export interface Tenant {
  readonly id: string;
  /** How many of its reports are made at once. */
  readonly concurrency: number;
}

const current = new AsyncLocalStorage<string>();

export const queueOf = (tenant: string): string => `reports.${tenant}`;

/** Runs something for a tenant. */
export const runFor = <T>(tenant: string, work: () => T): T => current.run(tenant, work);

export function currentTenant(): string {
  const tenant = current.getStore();
  if (tenant === undefined) throw new Error('this code must run in a handler of a tenant');
  return tenant;
}
