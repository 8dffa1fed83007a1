// The order in which the pages of the site are read: its sidebar. Each page of the repository stands here once; the check
// names those that do not, since nobody would find them.

/** The pages of the groups, by their path in the repository. */
export const groups = [
  {
    title: 'Tutorials',
    pages: [
      'docs/tutorials/1-hello-world/README.md',
      'docs/tutorials/2-work-queues/README.md',
      'docs/tutorials/3-publish-subscribe/README.md',
      'docs/tutorials/4-routing/README.md',
      'docs/tutorials/5-topics/README.md',
      'docs/tutorials/6-rpc/README.md',
      'docs/tutorials/7-publisher-confirms/README.md',
    ],
  },
  {
    title: 'Sample applications',
    pages: [
      'examples/README.md',
      'examples/shop/README.md',
      'examples/tenants/README.md',
      'examples/import/README.md',
      'examples/webhooks/README.md',
      'examples/saga/README.md',
    ],
  },
  {
    title: 'Guides',
    pages: [
      'docs/modules.md',
      'docs/failure.md',
      'docs/dead-letters.md',
      'docs/rpc.md',
      'docs/contracts.md',
      'docs/testing.md',
      'docs/plugins.md',
      'docs/scaling.md',
      'docs/bad-input.md',
      'docs/interop.md',
      'docs/embedded-broker.md',
      'docs/migrating-from-nest-transport.md',
      'docs/migrating-from-golevelup.md',
    ],
  },
  {
    title: 'Operations',
    pages: [
      'docs/operating.md',
      'docs/control.md',
      'docs/logging.md',
      'docs/health.md',
      'docs/metrics.md',
      'docs/observability.md',
      'docs/journey.md',
      'docs/fleet.md',
      'docs/board.md',
      'docs/security.md',
    ],
  },
  {
    title: 'Reference',
    pages: [
      'docs/options.md',
      'docs/errors.md',
      'docs/events.md',
      'docs/lifecycle.md',
      'docs/reliability.md',
      'docs/performance.md',
      'docs/comparison.md',
      'docs/side-by-side.md',
    ],
  },
  {
    title: 'Project',
    pages: ['CHANGELOG.md', 'CONTRIBUTING.md', 'SECURITY.md', 'ARCHITECTURE.md', 'docs/decisions/README.md'],
  },
];

/**
 * Where a page of the repository is on the site; undefined when it is not there.
 *
 * @param {string} path
 */
export function placeOf(path) {
  if (path === 'README.md') return 'index.md';
  if (/^[A-Z]+\.md$/.test(path)) return `project/${path.toLowerCase()}`;
  if (!/^(docs|examples)\/.*\.md$/.test(path)) return undefined;
  return path.replace(/^docs\//, '').replace(/(^|\/)README\.md$/, '$1index.md');
}

/**
 * Sentences about pages that the sidebar does not lead to. The page of the decisions leads to each decision.
 *
 * @param {readonly string[]} paths
 */
export function unreachable(paths) {
  const listed = new Set(groups.flatMap(({ pages }) => pages));
  return paths
    .filter((path) => placeOf(path) !== undefined && path !== 'README.md')
    .filter((path) => !listed.has(path) && !/^docs\/decisions\/\d/.test(path))
    .map((path) => `${path} is in no group of tools/docs/order.mjs: nobody finds it on the site`);
}
