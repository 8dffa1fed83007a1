// How the site looks: sidebar, search and links. Its pages are made by tools/docs/site.mjs.
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitepress';
import { repository, slugOf } from '../../docs/links.mjs';
import { groups, placeOf } from '../../docs/order.mjs';

const pages = fileURLToPath(new URL('../dist/pages', import.meta.url));

/** The heading of a page, without its marks. */
const titleOf = (place) =>
  /^# (.+)$/m.exec(readFileSync(join(pages, place), 'utf8'))?.[1].replace(/[`*\\]/g, '') ?? place;

const linkOf = (place) => `/${place.replace(/(^|\/)index\.md$/, '$1').replace(/\.md$/, '')}`;

const item = (place) => ({ text: titleOf(place), link: linkOf(place) });

const isThere = (place) => {
  try {
    return readFileSync(join(pages, place)).length > 0;
  } catch {
    return false;
  }
};

const reading = groups.map(({ title, pages: paths }, at) => ({
  text: title,
  collapsed: at > 3,
  items: paths.map(placeOf).filter(isThere).map(item),
}));

/** The packages, each with what it exports. */
const packages = [
  'nestjs',
  'nestjs/testing',
  'nestjs/terminus',
  'nestjs/prometheus',
  'amqp',
  'embedded',
  'opentelemetry',
  'board',
].map((name) => `@warren/${name}`);

const reference = {
  text: 'API',
  collapsed: true,
  items: packages.map((name) => ({
    text: name,
    link: `/api/${name}/`,
    collapsed: true,
    items: exportsOf(name),
  })),
};

function exportsOf(name) {
  const kinds = ['classes', 'functions', 'interfaces', 'type-aliases', 'variables', 'enumerations'];
  return kinds.flatMap((kind) => {
    try {
      return readdirSync(join(pages, 'api', name, kind))
        .map((file) => file.replace(/\.md$/, ''))
        .sort((one, other) => one.localeCompare(other))
        .map((text) => ({ text, link: `/api/${name}/${kind}/${text}` }));
    } catch {
      return [];
    }
  });
}

// Decisions are found from their list, and have it beside them.
reading.find(({ text }) => text === 'Project').items.find(({ link }) => link === '/decisions/').items =
  readdirSync(join(pages, 'decisions'))
    .filter((name) => /^\d/.test(name))
    .map((name) => item(`decisions/${name}`));
reading.find(({ text }) => text === 'Project').items.find(({ link }) => link === '/decisions/').collapsed =
  true;

export default defineConfig({
  title: 'Warren',
  description: 'RabbitMQ for NestJS',
  lang: 'en',
  srcDir: 'dist/pages',
  outDir: '../../dist/docs',
  cacheDir: 'dist/cache',
  base: process.env.SITE_BASE ?? '/',
  lastUpdated: false,
  cleanUrls: false,
  metaChunk: true,
  markdown: { anchor: { slugify: slugOf } },
  themeConfig: {
    search: { provider: 'local' },
    outline: [2, 3],
    nav: [
      { text: 'Tutorials', link: '/tutorials/1-hello-world/' },
      { text: 'Guides', link: '/modules' },
      { text: 'Options', link: '/options' },
      { text: 'API', link: '/api/' },
    ],
    sidebar: [...reading.slice(0, -1), reference, ...reading.slice(-1)],
    socialLinks: [{ icon: 'github', link: repository }],
  },
});
