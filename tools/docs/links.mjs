// Links between pages, and into them: a page that is renamed or a heading that is reworded leaves none dead.
import { existsSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { root } from '../run.mjs';

/** Where the repository is: pages that npm shows lead there, since nothing beside them is in the package. */
const repository = 'https://github.com/warren-mq/warren';

/** Sentences about links of these pages (path to text) that lead nowhere. */
export function deadLinks(pages) {
  return [...pages].flatMap(([path, text]) =>
    linksOf(text).flatMap((link) => {
      const [file, anchor] = inRepository(link).split('#');
      if (path.startsWith('libs/') && file !== '' && !file.startsWith('/')) {
        return [`${path}: ${link} is dead on npm: begin it with ${repository}/blob/main/`];
      }
      const target = file === '' ? path : posix.join(file.startsWith('/') ? '' : dirname(path), file);
      if (!existsSync(join(root, target))) return [`${path}: ${link} leads to no file`];
      if (anchor === undefined || !pages.has(target)) return [];
      return anchorsOf(pages.get(target)).includes(anchor) ? [] : [`${path}: ${link} leads to no heading`];
    }),
  );
}

function linksOf(text) {
  return [...withoutCode(text).matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, link]) => link)
    .filter((link) => !/^[a-z]+:/.test(inRepository(link)));
}

/** A link to a page of the repository as a path from its root, `/docs/rpc.md`; others as they are. */
function inRepository(link) {
  const pages = `${repository}/blob/main`;
  if (link.startsWith(`${pages}/`)) return link.slice(pages.length);
  return link.startsWith(`${repository}#`) ? `/README.md${link.slice(repository.length)}` : link;
}

/** As GitHub makes them. */
function anchorsOf(text) {
  const seen = new Map();
  return [...withoutCode(text).matchAll(/^#{1,6} (.+)$/gm)].map(([, heading]) => {
    const slug = heading
      .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .trim()
      .replace(/\s/g, '-');
    const times = seen.get(slug) ?? 0;
    seen.set(slug, times + 1);
    return times === 0 ? slug : `${slug}-${times}`;
  });
}

const withoutCode = (text) => text.replace(/^```.*?^```/gms, '');
